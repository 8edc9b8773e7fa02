import Restoration
import StrictJSON

extension RestorationOptions {
  /// Every option by its name on the command line, `_` for `-`, with the value in effect: another
  /// run with the same model and preset that is given these restores alike.
  package var json: JSON {
    switch method {
    case .tdm: tdm
    case .zeroShot: zeroShotDeraining
    }
  }

  /// The options whose values are others, with the values here.
  package func differences(from former: RestorationOptions) -> JSON {
    let known = former.json.object ?? [:]
    return .object((json.object ?? [:]).filter { known[$0.key] != $0.value })
  }

  private var zeroShotDeraining: JSON {
    .object([
      "method": .string(method.rawValue), "task": .string(task.rawValue),
      "negative_prompt": .string(negativePrompt), "steps": .integer(steps),
      "skip": .integer(zeroShot.skip), "guidance": .number(guidance),
      "switch_blocks": .string(zeroShot.switchBlocks.description),
      "segment": .integer(zeroShot.segment), "overlap": .integer(zeroShot.overlap),
      "seed": .integer(Int(clamping: seed)), "amount": .number(amount),
    ])
  }

  private var tdm: JSON {
    .object([
      "task": .string(task.rawValue), "prompt": .string(taskPrompt),
      "negative_prompt": .string(negativePrompt), "radius": .integer(radius),
      "fusion": .integer(fusion), "history": .integer(history),
      "fusion_noise": .number(fusionNoise),
      "chunk": .integer(chunk), "lookahead": .integer(lookahead),
      "inversion_steps": .integer(inversionSteps), "steps": .integer(steps),
      "strength": .number(strength), "guidance": .number(guidance),
      "control_scale": .number(controlScale),
      "inversion_control_scale": .number(inversionControlScale),
      "inversion_prompt": .string(inversionPrompt.rawValue),
      "window_in_controlnet": .bool(windowInControlNet), "attention": .string(attention.rawValue),
      "start": .string(start.rawValue), "seed": .integer(Int(clamping: seed)),
      "scene_cut": .string(sceneCut.rawValue), "color_fix": .string(colorFix.rawValue),
      "work_size": .integer(workSize), "amount": .number(amount),
    ])
  }
}
