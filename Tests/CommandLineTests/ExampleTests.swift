import Foundation
import Testing

@Suite("The examples for files")
struct ExampleTests {
  private static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Examples")

  /// Runs commands in a folder of their own, up to the first that fails.
  private func inFolder(_ commands: String) throws -> FilterResult {
    try FilterProcess.pipeline(
      """
      set -e
      folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
      \(commands)
      """)
  }

  @Test("restore one", arguments: ["ffmpeg-file.sh", "ffmpeg-raw.sh"])
  func fileExamples(script: String) throws {
    let script = Self.folder.appending(path: "\(script)").path
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    // With sound, an odd rate and 10 bits.
    let result = try inFolder(
      """
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

  @Test("pass raw frames on in silence, and say in one line that there are none")
  func rawFrames() throws {
    let script = Self.folder.appending(path: "ffmpeg-raw.sh").path
    let result = try inFolder(
      """
      printf '#!/bin/bash\nexec cat\n' > unchanged
      chmod +x unchanged
      export TDM_FILTER=./unchanged
      # Larger than what a pipe holds.
      ffmpeg -v error -f lavfi -i testsrc2=size=640x480:rate=25:duration=0.2 -c:v ffv1 in.mkv
      '\(script)' in.mkv out.mkv && echo fine
      echo "none yet" >&2
      echo nothing > empty.mkv
      '\(script)' empty.mkv out.mkv || echo "status $?"
      """)
    #expect(String(decoding: result.output, as: UTF8.self) == "fine\nstatus 65\n")
    #expect(result.errors.hasPrefix("none yet\n"), "\(result.errors)")
    #expect(result.errors.contains("empty.mkv: no pictures in it"), "\(result.errors)")
  }

  @Test("go on from the parts that are done, and refuses another command's")
  func exampleParts() throws {
    let script = Self.folder.appending(path: "ffmpeg-file.sh").path
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    let result = try inFolder(
      """
      # Its pictures begin a second after its sound.
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=4:duration=9 -f lavfi -i sine=duration=10 \
        -filter_complex '[0]setpts=PTS+1/TB[v]' -map '[v]' -map 1 -pix_fmt yuv420p -c:v ffv1 -c:a pcm_s16le in.mkv
      export TDM_FILTER='\(FilterProcess.path)' ENCODE="-c:v ffv1"
      # What is cut short has 27 frames behind the stream's header, of which parts hold 24 and 3.
      printf '#!/bin/bash\n%s "$@" | head -c %d\nexit 1\n' "$TDM_FILTER" $((100 + 27 * (6 + 48 * 32 * 3 / 2))) > short
      # What is cut shorter does not come past the frames that lead.
      sed 's/head -c [0-9]*/head -c 20000/' short > shorter
      chmod +x short shorter
      '\(script)' in.mkv whole.mkv \(options) --quiet
      TDM_FILTER=./short PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet 2> /dev/null && exit 1
      ls out.mkv 2> /dev/null && exit 1
      cat parts/0000.list
      # As a full disk leaves it.
      truncate -s -2000 parts/0000-00001.nut
      TDM_FILTER=./shorter PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet 2> /dev/null && exit 1
      cat parts/0001.list
      PARTS=parts '\(script)' in.mkv out.mkv \(options) --quiet
      cat parts/whole >&2
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
    // Of 40 frames, with those that were repeated while there was sound alone; nothing of the part
    // that was cut.
    #expect(
      result.errors.contains("0000-00000.nut 24\n0002-00000.nut 16\n"), "\(result.errors)")
  }

  @Test("fail where ffmpeg could not write the end of a file, of which it only says so")
  func fullDisk() throws {
    let script = Self.folder.appending(path: "ffmpeg-file.sh").path
    let result = try inFolder(
      """
      printf '#!/bin/bash\nexec cat\n' > unchanged
      mkdir full
      # What ffmpeg 5 does when the disk is full, where it writes FULL.
      printf '#!/bin/bash\n%s "$@" || exit\ncase "$*" in *FULL*) echo "Error writing trailer of FULL: No space left on device" >&2 ;; esac\n' \
        "$(command -v ffmpeg)" > full/ffmpeg
      chmod +x unchanged full/ffmpeg
      export TDM_FILTER=./unchanged
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=25:duration=0.4 -pix_fmt yuv420p -c:v ffv1 in.mkv
      export PATH="$folder/full:$PATH"
      '\(script)' in.mkv FULL.mkv || echo "status $?"
      PARTS=FULL-parts '\(script)' in.mkv out.mkv || echo "status $?"
      ls FULL-parts/complete 2> /dev/null || echo incomplete
      '\(script)' in.mkv out.mkv && echo fine
      """)
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(lines == ["status 74", "status 74", "incomplete", "fine"], "\(lines)")
    #expect(
      result.errors.contains("Error writing trailer of FULL")
        && result.errors.contains("not restored"))
  }

  @Test(
    "encode as well in parts, at a phone's rate, in step with sound, in every container"
  )
  func exampleEncoding() throws {
    let script = Self.folder.appending(path: "ffmpeg-file.sh").path
    let result = try inFolder(
      """
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
    "keep tags and alpha, or guess, and for raw frames a new size and a turn"
  )
  func exampleFormats() throws {
    let options = (try Tiny.model() + Tiny.steps).map { "'\($0)'" }.joined(separator: " ")
    let examples = Self.folder.path
    let result = try inFolder(
      """
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
      ffmpeg -v error -i plain.mkv -pix_fmt yuva444p10le -c:v ffv1 deep.mkv
      '\(examples)/ffmpeg-file.sh' deep.mkv deeper.mkv --quiet --amount 0
      ffprobe -v error -select_streams v:0 -show_entries stream=pix_fmt -of csv=p=0 deeper.mkv
      '\(examples)/ffmpeg-raw.sh' turned.mp4 larger.mkv \(options) --quiet --task sr
      ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=width,height,nb_read_frames \
        -of csv=p=0 larger.mkv
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(
      lines == [
        "bt709", "bt709", "bt709", "Name", "tv,smpte170m", "bt709", "ffv1,yuva444p,bt709,3",
        "yuv444p10le", "64,96,2",
      ], "\(lines)")
    #expect(result.errors.contains("deep.mkv: its alpha is left out"), "\(result.errors)")
  }

  @Test(
    "refuse to write over what they read",
    arguments: ["ffmpeg-file.sh", "ffmpeg-raw.sh", "gstreamer.sh"])
  func sameFile(script: String) throws {
    let script = Self.folder.appending(path: script).path
    let result = try inFolder(
      """
      export TDM_FILTER='\(FilterProcess.path)'
      echo frames > in.mkv; ln -s in.mkv link.mkv
      for out in in.mkv ./in.mkv "$PWD/in.mkv" link.mkv; do '\(script)' in.mkv "$out" || echo "status $?"; done
      cat in.mkv
      """)
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
    #expect(lines == Array(repeating: "status 64", count: 4) + ["frames"], "\(lines)")
    #expect(result.errors.contains("is IN itself"), "\(result.errors)")
  }

  @Test("take whatever a camera or a phone calls its files, and whatever is in them")
  func forms() throws {
    let script = Self.folder.appending(path: "ffmpeg-file.sh").path
    let result = try inFolder(
      """
      printf '#!/bin/bash\\nexec cat\\n' > unchanged
      chmod +x unchanged
      export TDM_FILTER=./unchanged
      told() { ffprobe -v error -count_packets -show_entries stream=codec_name,pix_fmt,start_time,nb_read_packets -of csv=p=0 "$1"; }
      ffmpeg -v error -f lavfi -i testsrc2=size=48x32:rate=25:duration=0.4 -f lavfi -i sine=duration=0.4 \
        -pix_fmt yuv420p -c:v libx264 -bf 0 -c:a aac in.mp4
      # The sound's first samples are for its decoder alone; in this container they have their time, and pictures come behind them.
      ffmpeg -v error -i in.mp4 -c copy in.mkv
      told in.mkv
      '\(script)' in.mkv out.mkv; told out.mkv
      PARTS='a:b [1]' '\(script)' in.mkv ./-out.MKV; told ./-out.MKV
      PARTS='a:b [1]' '\(script)' in.mkv ./-out.MKV --amount 0.5 || echo "status $?"
      PARTS=parts ENCODE="-vf hflip" '\(script)' in.mkv out.mkv || echo "status $?"
      # Sound that does not fit, and sound that is asked for.
      ffmpeg -v error -i in.mp4 -c:v copy -c:a pcm_s16le in.mov
      '\(script)' in.mov out.mp4; told out.mp4
      ENCODE="-crf 20 -c:a libopus" '\(script)' in.mov out.mkv; told out.mkv
      cp in.mp4 ./-in.mp4
      INPUT="-ss 0.2 -t 0.12" '\(script)' -in.mp4 12:30.MP4; told ./12:30.MP4
      # Its key frame is the first: what was copied since then would be heard.
      INPUT="-ss 0.2 -t 0.12" '\(script)' in.mkv out.mkv; told out.mkv
      ffmpeg -v error -i in.mp4 -frames:v 2 picture-%02d.png
      ENCODE="-crf 20 -pix_fmt yuv422p" '\(script)' picture-%02d.png out.mp4; told out.mp4
      # Sides that H.264 does not take at a half.
      for size in 49x32 48x33; do
        for pixels in yuv420p yuv420p10le; do
          ffmpeg -v error -y -f lavfi -i testsrc=size=$size:rate=25:duration=0.08 -pix_fmt $pixels -c:v ffv1 odd.mkv
          '\(script)' odd.mkv odd.mp4; told odd.mp4
        done
      done
      # Fonts.
      echo font > font.ttf
      ffmpeg -v error -i in.mkv -attach font.ttf -metadata:s:t mimetype=application/x-truetype-font -map 0 -c copy worded.mkv
      '\(script)' worded.mkv out.mkv; told out.mkv
      '\(script)' nothing.mkv out.mkv || echo "status $?"
      INPUT="-ss 100" '\(script)' in.mkv out.mkv || echo "status $?"
      """)
    #expect(result.status == 0, "\(result.errors)")
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n").map(
      String.init)
    let kept = ["h264,yuv420p,0.023000,10", "aac,0.000000,19"]
    #expect(
      lines == kept + kept + kept + [
        "status 64", "status 64",
        "h264,yuv420p,0.000000,10", "aac,0.000000,19",
        "h264,yuv420p,0.007000,10", "opus,-0.007000,22",
        "h264,yuv420p,0.000000,3", "aac,0.008005,5",
        "h264,yuv420p,0.000000,4", "aac,0.009000,5", "h264,yuv422p,0.000000,2",
        "h264,yuv444p,0.000000,2", "h264,yuv444p10le,0.000000,2",
        "h264,yuv444p,0.000000,2", "h264,yuv444p10le,0.000000,2",
      ] + kept + ["ttf,0.000000,N/A", "status 66", "status 65"], "\(lines)")
    for line in [
      "holds the parts of another command", "filters would cut the parts wrongly",
      "out.mp4 cannot hold the sound as it is: it is encoded anew", "nothing.mkv: no such file",
      "none is left by INPUT=\"-ss 100\"",
    ] {
      #expect(result.errors.contains(line), "\(result.errors)")
    }
  }
}
