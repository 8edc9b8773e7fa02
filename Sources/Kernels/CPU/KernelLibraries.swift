import COneDNN
import COpenBLAS

/// The libraries that compute, as they are found at run time.
public enum KernelLibraries {
  /// Names with versions.
  public static var versions: [(name: String, version: String)] {
    let dnnl = dnnl_version().pointee
    // `OpenBLAS 0.3.21 DYNAMIC_ARCH NO_AFFINITY Cooperlake MAX_THREADS=64`
    let words = String(cString: openblas_get_config()).split(separator: " ")
    return [
      ("oneDNN", "\(dnnl.major).\(dnnl.minor).\(dnnl.patch)"),
      ("OpenBLAS", words.count > 1 ? String(words[1]) : "unknown"),
    ]
  }
}
