import ModelFiles
import Testing

@testable import Diffusion

private typealias Prediction = SchedulerConfig.PredictionType

/// What a network would give that saw through the latent √alphaBar · clean + √(1 - alphaBar) ·
/// noise.
private func output(
  _ prediction: Prediction, clean: Double, noise: Double, alphaBar: Double
) -> Double {
  switch prediction {
  case .epsilon: noise
  case .vPrediction: alphaBar.squareRoot() * noise - (1 - alphaBar).squareRoot() * clean
  case .sample: clean
  }
}

@Suite struct MoveTests {
  @Test(
    "A latent of a clean picture and noise stays one of the same two, at the new level",
    arguments: SchedulerConfig.PredictionType.allCases)
  func movesKeepCleanAndNoise(_ prediction: SchedulerConfig.PredictionType) throws {
    let schedule = try makeSchedule(prediction)
    let (clean, noise) = (0.7, -1.3)
    for (from, to) in [(-1, 99), (99, 199), (999, 968), (31, -1), (500, 0), (0, 999)] {
      let here = schedule.alphaBar(at: from)
      let there = schedule.alphaBar(at: to)
      let latent = here.squareRoot() * clean + (1 - here).squareRoot() * noise
      let move = schedule.move(from: from, to: to)
      let output = output(prediction, clean: clean, noise: noise, alphaBar: here)
      let moved = Double(move.latentFactor) * latent + Double(move.outputFactor) * output
      let expected = there.squareRoot() * clean + (1 - there).squareRoot() * noise
      #expect(abs(moved - expected) < 1e-5, "\(from) to \(to)")
    }
  }

  @Test("Inverting, then sampling with constant noise, returns the latent")
  func inversionAndSamplingWithConstantNoise() throws {
    let schedule = try makeSchedule(.epsilon)
    var generator = GaussianNoise(seed: 3)
    for strength in [0.6, 1] {
      for (inversionSteps, steps) in [(10, 32), (2, 4), (1, 1), (7, 3)] {
        let start = generator.next()
        let noise = generator.next()
        var latent = start
        let up = [-1] + schedule.levels(inversionSteps, strength: strength)
        let down = schedule.levels(steps, strength: strength).reversed() + [-1]
        for path in [up, down] {
          for (from, to) in zip(path, path.dropFirst()) {
            let move = schedule.move(from: from, to: to)
            latent = move.latentFactor * latent + move.outputFactor * noise
          }
        }
        #expect(abs(latent - start) < 1e-4)
      }
    }
  }

  @Test(
    "A move to where one is changes nothing", arguments: SchedulerConfig.PredictionType.allCases)
  func movingNowhere(_ prediction: SchedulerConfig.PredictionType) throws {
    let schedule = try makeSchedule(prediction)
    for timestep in [0, 1, 500, 999] {
      let move = schedule.move(from: timestep, to: timestep)
      #expect(abs(move.latentFactor - 1) < 1e-6 && abs(move.outputFactor) < 1e-6)
    }
  }

  @Test("From a clean end without noise, a predicted picture is divided by the first level's noise")
  func cleanEndOfSamplePrediction() throws {
    let schedule = try makeSchedule(.sample, setAlphaToOne: true)
    let move = schedule.move(from: -1, to: 99)
    let there = schedule.alphaBar(at: 99)
    let divisor = (1 - schedule.alphaBars[0]).squareRoot()
    let latentFactor = (1 - there).squareRoot() / divisor
    #expect(move.latentFactor == Float(latentFactor))
    #expect(move.outputFactor == Float(there.squareRoot() - latentFactor))
  }

  @Test("The noisiest level of a schedule without signal has finite moves")
  func zeroSNRMoves() throws {
    for prediction in [SchedulerConfig.PredictionType.vPrediction, .sample] {
      let schedule = try makeSchedule(prediction, setAlphaToOne: true, zeroSNR: true)
      for (from, to) in [(899, 999), (999, 968), (999, -1)] {
        let move = schedule.move(from: from, to: to)
        #expect(move.latentFactor.isFinite && move.outputFactor.isFinite)
      }
    }
  }
}
