import ControlProtocol
import Foundation
import ModelFiles
import Restoration
import Testing

@testable import tdm_filter

@Suite("What is documented")
struct DocumentationTests {
  private static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  private let options = TDMFilter.longOptions

  /// The options that the man page has an entry for.
  private func documented() throws -> Set<String> {
    let entries = try text("man/tdm-filter.1").split(separator: "\n").filter {
      $0.hasPrefix(".It Fl Fl")
    }
    return Set(entries.map { "--" + $0.split(separator: " ")[3] })
  }

  @Test("in the man page are the options of --help, each, and no others")
  func manPage() throws {
    #expect(options.count > 30)
    #expect(try documented() == options)
  }

  @Test("is every option of restoration, by one name on the command line and in what is told")
  func everyOption() throws {
    // Those of one method are told with it; the model within the model, and even veils, are the preset's to say.
    let properties = Set(Mirror(reflecting: RestorationOptions()).children.compactMap(\.label))
      .subtracting(["method", "zeroShot", "innerModel", "evenVeil"])
    let names = properties.map {
      $0.replacing("ControlNet", with: "Controlnet").replacing(/[A-Z]/) {
        "-" + $0.output.lowercased()
      }
    }
    #expect(options.isSuperset(of: names.map { "--" + $0 }))
    let told = try #require(RestorationOptions().json.object)
    #expect(Set(told.keys) == Set(names.map { $0.replacing("-", with: "_") }))
  }

  @Test("in the README are options that there are")
  func readme() throws {
    let named = try text("README.md").matches(of: /(?:^|[^\w-])(--[a-z][a-z-]+)/).map {
      String($0.1)
    }
    #expect(!named.isEmpty)
    for option in named { #expect(options.contains(option), "\(option)") }
  }

  @Test("in the README are the presets as they are")
  func presets() throws {
    let model = try ModelFolder.embedded()
    for preset in Preset.allCases {
      #expect(try text("README.md").contains("`\(preset.ownValues(of: model).summary)`"))
    }
  }

  @Test("in the man page, the README and the help are all exit statuses, and no others")
  func statuses() throws {
    let page = try text("man/tdm-filter.1").matches(of: /(?m)^\.It ([0-9]+)$/).map { $0.1 }
    let table = try text("README.md").split(separator: "\n| status | means |\n")[1]
      .split(separator: "\n\n")[0]
    let help = TDMFilter.configuration.discussion.split(separator: "Exit status: ")[1]
    let named = [
      "man page": page,
      // The first column may have two.
      "README": table.matches(of: /(?m)^\| ([0-9, ]+) \|/).flatMap {
        $0.1.split(separator: ", ")
      },
      "help": help.matches(of: /[0-9]+/).map { $0.0 },
    ]
    for (place, numbers) in named {
      #expect(
        numbers.compactMap { Int32($0) }.sorted() == ProgramStatus.allCases.map(\.rawValue),
        "\(place)")
    }
  }

  @Test("in the protocol's two descriptions are all events and codes")
  func protocolNames() throws {
    let (long, short) = (try text("Protocol/control.md"), try text("man/tdm-protocol.7"))
    for event in Event.Name.allCases {
      #expect(long.contains("\n| `\(event.rawValue)` |"), "\(event)")
      #expect(short.contains("\n.It Li \(event.rawValue)\n"), "\(event)")
    }
    let codes = long.split(separator: "### Codes")[1].split(separator: "\n## ")[0]
    let listed = short.split(separator: "\nCodes are\n")[1]
    for code in Refusal.Code.allCases {
      #expect(codes.contains("`\(code.rawValue)`"), "\(code)")
      #expect(listed.contains(try Regex("\\b\(code.rawValue)\\b")), "\(code)")
    }
  }

  @Test("as a unit calls the program by options that there are")
  func unit() throws {
    let unit = try text("Examples/tdm-filter-camera.service")
    let call = try #require(unit.firstMatch(of: /exec tdm-filter ([^<]*)/)).1
    let named = call.split(separator: " ").filter { $0.hasPrefix("--") }
    #expect(!named.isEmpty)
    for option in named { #expect(options.contains(String(option)), "\(option)") }
  }

  @Test("as an example is shell that a shell can read")
  func examples() throws {
    let folder = Self.root.appending(path: "Examples")
    let scripts = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".sh") }
    #expect(!scripts.isEmpty)
    for script in scripts {
      let source = try text("Examples/\(script)")
      let shell = source.hasPrefix("#!/bin/bash\n") ? "bash" : "sh"
      let result = try FilterProcess.pipeline(
        "\(shell) -n '\(folder.appending(path: script).path)'")
      #expect(result.status == 0, "\(script): \(result.errors)")
    }
  }

  @Test("the examples for files restore one", arguments: ["ffmpeg-file.sh", "ffmpeg-raw.sh"])
  func fileExamples(script: String) throws {
    let script = Self.root.appending(path: "Examples/\(script)").path
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    // With sound, an odd rate and 10 bits.
    let result = try FilterProcess.pipeline(
      """
      set -e
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=30000/1001:duration=0.2 \
        -f lavfi -i sine=duration=0.2 -pix_fmt yuv420p10le -c:v ffv1 -c:a pcm_s16le \
        -colorspace bt709 -color_primaries bt709 -color_trc bt709 in.mkv
      TDM_FILTER='\(FilterProcess.path)' '\(script)' in.mkv out.mkv \(options)
      for file in in.mkv out.mkv; do
        ffprobe -v error -count_frames -select_streams v:0 \
          -show_entries stream=width,height,r_frame_rate,nb_read_frames -of csv $file
      done
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == lines[1], "\(lines)")
    #expect(lines.first?.hasSuffix("30000/1001,6") == true, "\(lines)")
  }

  @Test("the example for files goes on from the parts that are done, and refuses another command's")
  func exampleParts() throws {
    let script = Self.root.appending(path: "Examples/ffmpeg-file.sh").path
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    let result = try FilterProcess.pipeline(
      """
      set -e
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
      # Its pictures begin a second after its sound.
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=4:duration=9 -f lavfi -i sine=duration=10 \
        -filter_complex '[0]setpts=PTS+1/TB[v]' -map '[v]' -map 1 -pix_fmt yuv420p -c:v ffv1 -c:a pcm_s16le in.mkv
      export TDM_FILTER='\(FilterProcess.path)' ENCODE="-c:v ffv1"
      # What is cut short has 27 frames behind the stream's header, of which parts hold 20 and 7.
      printf '#!/bin/bash\n%s "$@" | head -c %d\nexit 1\n' "$TDM_FILTER" $((100 + 27 * (6 + 48 * 32 * 3 / 2))) > short
      # What is cut shorter does not come past the frames that lead.
      sed 's/head -c [0-9]*/head -c 20000/' short > shorter
      chmod +x short shorter
      '\(script)' in.mkv whole.mkv \(options) --quiet
      TDM_FILTER=./short PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet 2> /dev/null && exit 1
      ls out.mkv 2> /dev/null && exit 1
      cat parts/0000.list
      TDM_FILTER=./shorter PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet 2> /dev/null && exit 1
      cat parts/0001.list
      PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet
      for file in whole.mkv out.mkv; do
        ffmpeg -v error -i $file -map 0:v -f framemd5 - | grep -v '^#'
        ffprobe -v error -show_entries stream=codec_type -of csv=p=0 $file
      done
      PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet --amount 0.5 || echo "status $?"
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(
      lines.prefix(3) == ["0000-00000.nut", "0000-00001.nut", "0001-00000.nut"], "\(lines)")
    #expect(lines.last == "status 64", "\(lines)")
    let restored = lines.filter { $0.hasPrefix("0,") || $0 == "audio" || $0 == "video" }
    #expect(restored.count == 2 * 42, "\(lines)")
    #expect(restored.prefix(42) == restored.suffix(42), "\(lines)")
    #expect(result.errors.contains("holds the parts of another command"), "\(result.errors)")
  }

  @Test(
    "the example for files encodes as well in parts, at a phone's rate, in step with sound, in every container"
  )
  func exampleEncoding() throws {
    let script = Self.root.appending(path: "Examples/ffmpeg-file.sh").path
    let result = try FilterProcess.pipeline(
      """
      set -e
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
      printf '#!/bin/bash\necho "$@" >> given\nexec cat\n' > unchanged
      chmod +x unchanged
      export TDM_FILTER=./unchanged
      told() { ffprobe -v error -count_packets -select_streams v -show_entries stream=codec_name,nb_read_packets -of csv=p=0 $1 | head -n 1; }
      # Frames at uneven times, of which ffprobe makes 1000 a second.
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=30:duration=0.9 -vf 'settb=1/1000,setpts=N*33+mod(N*7\\,11)' \\
        -fps_mode vfr -enc_time_base 1/1000 -video_track_timescale 1000 -c:v libx264 -bf 0 uneven.mp4
      ffprobe -v error -show_entries stream=r_frame_rate -of csv=p=0 uneven.mp4
      for name in out.mp4 out.avi out.webm; do
        '\(script)' uneven.mp4 $name; told $name
        PARTS="$name %d" '\(script)' uneven.mp4 $name; told $name
      done
      sort given | uniq -c
      ENCODE="-crf 20" '\(script)' uneven.mp4 out.mpg || echo "status $?"
      # Pictures half a second after sound, and before it.
      for late in 0:v 0:a; do
        ffmpeg -v error -y $([ $late = 0:v ] && echo -itsoffset 0.5) -f lavfi -i testsrc2=size=48x32:rate=8:duration=2 \
          $([ $late = 0:a ] && echo -itsoffset 0.5) -f lavfi -i sine=duration=2 -c:v libx264 -bf 0 -c:a mp2 in.ts
        '\(script)' in.ts out.mkv
        told out.mkv
        ffprobe -v error -select_streams a -show_entries stream=start_time -of csv=p=0 out.mkv
      done
      printf '1\n00:00:00,000 --> 00:00:01,000\nWords\n' > words.srt
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=50:duration=0.2 -i words.srt -vf interlace -flags +ildct -c:v mpeg2video worded.mkv
      PREFILTER=bwdif '\(script)' worded.mkv out.mkv
      told out.mkv
      ffprobe -v error -select_streams s -show_entries stream=codec_name -of csv=p=0 out.mkv
      ffmpeg -v error -f lavfi -i sine=duration=0.1 sound.wav
      '\(script)' sound.wav out.mkv || echo "status $?"
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n").map(
      String.init)
    #expect(
      lines == [
        "1000/1", "h264,27", "h264,27", "h264,27", "h264,27", "vp9,27", "vp9,27",
        "      6 --matrix bt601 --expected-frames 27", "status 64",
        "h264,20", "0.000000", "h264,16",
        "0.489000", "h264,10", "ass", "status 65",
      ], "\(lines)")
    for line in ["out.mpg: what to encode it with is not known", "sound.wav: no pictures in it"] {
      #expect(result.errors.contains(line), "\(result.errors)")
    }
  }

  @Test(
    "the example for files keeps tags and alpha, or guesses, that for raw frames a new size and a turn"
  )
  func exampleFormats() throws {
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    let examples = Self.root.appending(path: "Examples").path
    let result = try FilterProcess.pipeline(
      """
      set -e
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
      export TDM_FILTER='\(FilterProcess.path)'
      ffmpeg -v error -f lavfi -i testsrc2=size=24x16:duration=0.08 -pix_fmt yuv420p -c:v libx264 \
        -colorspace bt709 -color_primaries bt709 -color_trc bt709 -metadata title=Name in.mp4
      ffmpeg -v error -i in.mp4 -c copy -metadata:s:v rotate=90 turned.mp4
      '\(examples)/ffmpeg-file.sh' in.mp4 kept.mkv \(options) --quiet
      ffprobe -v error -select_streams v:0 -show_entries \
        stream=color_space,color_transfer,color_primaries:format_tags=title -of default=nw=1:nk=1 kept.mkv
      ffmpeg -v error -f lavfi -i testsrc2=size=24x16:duration=0.08 -c:v libx264rgb rgb.mkv
      '\(examples)/ffmpeg-file.sh' rgb.mkv converted.mkv \(options) --quiet
      ffprobe -v error -select_streams v:0 -show_entries stream=color_range,color_space -of csv=p=0 converted.mkv
      # Once for the file, once for the program in it, is each property told of this; the second time when the first was read.
      mkdir slow
      printf '#!/bin/bash\\nset -o pipefail\\n%s "$@" | while read -r line; do echo "$line"; sleep 0.05; done\\n' \\
        "$(command -v ffprobe)" > slow/ffprobe
      chmod +x slow/ffprobe
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:duration=0.08 -pix_fmt yuv420p -c:v libx264 -colorspace bt709 in.ts
      PATH="$folder/slow:$PATH" '\(examples)/ffmpeg-file.sh' in.ts from-ts.mkv \(options) --quiet
      ffprobe -v error -select_streams v:0 -show_entries stream=color_space -of csv=p=0 from-ts.mkv
      ffmpeg -v error -f lavfi -i color=red:size=16x720:rate=4:duration=0.5 -pix_fmt yuva444p -c:v ffv1 plain.mkv
      ENCODE="-c:v ffv1" RATE=8 '\(examples)/ffmpeg-file.sh' plain.mkv rated.mkv --quiet --amount 0
      ffprobe -v error -count_frames -select_streams v:0 -show_entries \
        stream=codec_name,pix_fmt,color_space,nb_read_frames -of csv=p=0 rated.mkv
      '\(examples)/ffmpeg-raw.sh' turned.mp4 larger.mkv \(options) --quiet --task sr
      ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=width,height,nb_read_frames \
        -of csv=p=0 larger.mkv
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(
      lines == [
        "bt709", "bt709", "bt709", "Name", "tv,smpte170m", "bt709", "ffv1,yuva444p,bt709,3",
        "64,96,2",
      ], "\(lines)")
  }
}
