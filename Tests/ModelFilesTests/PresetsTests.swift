import FixtureSupport
import Testing

@testable import ModelFiles

@Suite("A model's own presets")
struct PresetsTests {
  private let folder = TemporaryFolder()

  private func presets(_ json: String?) throws -> [String: PresetConfig] {
    folder.write("model_index.json", Array("{}".utf8))
    if let json { folder.write("presets.json", Array(json.utf8)) }
    return try ModelFolder(path: folder.path).presets()
  }

  @Test("are read as far as they are given")
  func given() throws {
    let presets = try presets(
      #"""
      {"balanced": {"inversion_steps": 2, "steps": 3, "strength": 0.25, "radius": 2, "task_radius": {"derain": 1}, "fusion": 4, "task_fusion": {"derain": 3}, "history": 24, "chunk": 1, "lookahead": 0, "work_size": 500, "task_work_size": {"dehaze": 400}, "task_model": {"superres": "big"}, "task_even_veil": {"dehaze": true}, "control_scale": 0.5},
       "live": {"steps": 1}}
      """#)
    #expect(presets["balanced"]?.inversionSteps == 2)
    #expect(presets["balanced"]?.steps == 3)
    #expect(presets["balanced"]?.strength == 0.25)
    #expect(
      presets["balanced"]?.workSize == 500
        && presets["balanced"]?.taskWorkSize == ["dehaze": 400])
    #expect(presets["balanced"]?.taskModel == ["superres": "big"])
    #expect(presets["balanced"]?.taskEvenVeil == ["dehaze": true])
    #expect(presets["balanced"]?.radius == 2 && presets["balanced"]?.taskRadius == ["derain": 1])
    #expect(
      presets["balanced"]?.chunk == 1 && presets["balanced"]?.fusion == 4
        && presets["balanced"]?.taskFusion == ["derain": 3]
        && presets["balanced"]?.history == 24
        && presets["balanced"]?.lookahead == 0)
    #expect(presets["balanced"]?.controlScale == 0.5 && presets["live"]?.controlScale == nil)
    #expect(presets["live"]?.steps == 1 && presets["live"]?.strength == nil)
    #expect(presets["paper"] == nil)
  }

  @Test("may leave inversion out")
  func withoutInversion() throws {
    let presets = try presets(#"{"live": {"inversion_steps": 0, "steps": 1}}"#)
    #expect(presets["live"]?.inversionSteps == 0 && presets["live"]?.steps == 1)
  }

  @Test("need not be there")
  func missing() throws { #expect(try presets(nil).isEmpty) }

  @Test(
    "are refused by name where they cannot be",
    arguments: [
      (#"{"live": {"steps": 0}}"#, "steps"), (#"{"live": {"steps": 2.5}}"#, "steps"),
      (#"{"live": {"inversion_steps": -1}}"#, "inversion_steps"),
      (#"{"live": {"strength": 0}}"#, "strength"), (#"{"live": {"strength": 1.5}}"#, "strength"),
      (#"{"live": {"radius": -3}}"#, "radius"),
      (#"{"live": {"history": 1001}}"#, "history"),
      (#"{"live": {"task_radius": 2}}"#, "task_radius"),
      (#"{"live": {"task_radius": {"derain": 65}}}"#, "derain"),
      (#"{"live": {"task_fusion": 2}}"#, "task_fusion"),
      (#"{"live": {"task_fusion": {"derain": 17}}}"#, "derain"),
      (#"{"live": {"task_work_size": 400}}"#, "task_work_size"),
      (#"{"live": {"task_work_size": {"dehaze": -1}}}"#, "dehaze"),
      (#"{"live": {"task_work_size": {"dehaze": 63}}}"#, "task_work_size"),
      (#"{"live": {"work_size": 1}}"#, "work_size"),
      (#"{"live": {"task_even_veil": true}}"#, "task_even_veil"),
      (#"{"live": {"task_even_veil": {"dehaze": 1}}}"#, "dehaze"),
      (#"{"live": {"task_model": "fast"}}"#, "task_model"),
      (#"{"live": {"task_model": {"denoise": 1}}}"#, "denoise"),
      (#"{"live": {"task_model": {"denoise": ""}}}"#, "denoise"),
      (#"{"live": {"task_model": {"denoise": ".."}}}"#, "denoise"),
      (#"{"live": {"task_model": {"denoise": "."}}}"#, "denoise"),
      (#"{"live": {"task_model": {"denoise": "a/b"}}}"#, "denoise"),
      (#"{"live": {"control_scale": 10.5}}"#, "control_scale"),
      (#"{"live": {"control_scale": -1}}"#, "control_scale"),
      (#"{"live": {"guidance": 3}}"#, "guidance"),
      (#"{"live": 3}"#, "live"), ("[]", "presets.json"),
    ])
  func refused(_ json: String, _ named: String) {
    let error = #expect(throws: ModelError.self) { try presets(json) }
    #expect(error?.description.contains(named) == true)
    #expect(error?.description.contains("presets.json") == true)
  }
}
