import ControlProtocol
import Glibc
import Kernels
import ModelFiles
import Video

extension Hello {
  /// What is known when a stream's networks are planned.
  init(
    _ settings: Settings, _ stream: StreamRestoration, from format: StreamFormat,
    frameCount: Int?, model: ModelFolder, device: CPUDevice
  ) {
    self.init(
      version: TDMFilter.version, processID: Int(getpid()), preset: settings.preset,
      options: stream.options, model: model.name, precision: device.precision.rawValue,
      threads: device.threadCount, input: Stream(format), output: Stream(stream.outputFormat),
      latency: stream.latency, memory: stream.bufferByteCount,
      frameCount: frameCount)
  }
}

extension Hello.Stream {
  fileprivate init(_ format: StreamFormat) {
    self.init(
      container: format.container.rawValue, width: format.size.width, height: format.size.height,
      pixelFormat: "\(format.pixelFormat)", frameRate: format.frameRate?.description,
      matrix: format.hasMatrix ? format.effectiveMatrix.rawValue : nil,
      range: format.effectiveRange.rawValue)
  }
}
