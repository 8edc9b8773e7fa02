#!/bin/bash
# Restores a video file and keeps its sound, its colours' tags, and its title and chapters; subtitles are left out.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
#   ENCODE   how ffmpeg encodes, in place of "-crf 16", as in ENCODE="-c:v libx265 -crf 18"
#   RATE     the constant frame rate to make of a variable one, as in RATE=30
#   PARTS    a folder: what is restored is kept there every five seconds of it, and the same command goes on from there
set -euo pipefail  # a pipe fails where its first command does
usage="usage: ffmpeg-file.sh IN OUT [options of tdm-filter]"
in=${1:?$usage} out=${2:?$usage}
shift 2
# The first line of it alone: ffprobe tells it again for each program of a transport stream.
property() { ffprobe -v error -select_streams v:0 -show_entries "stream=$1" -of default=nw=1:nk=1 "$in" | sed -n 1p; }
# Y4M does not tell what the colours mean: the filter is told, and the new file.
tags=()
for tag in color_primaries:color_primaries color_transfer:color_trc color_range:color_range; do
  value=$(property "${tag%:*}")
  case $value in "" | unknown) ;; *) tags+=("-${tag#*:}" "$value") ;; esac
done
space=$(property color_space)
case $(property pix_fmt) in
*rgb* | *bgr* | gbr* | pal8) space=smpte170m tags+=(-color_range tv) ;;  # what ffmpeg makes of it below
esac
case $space in
"" | unknown | gbr) if [ "$(property height)" -ge 720 ]; then space=bt709; else space=smpte170m; fi ;;  # as players guess
esac
tags+=(-colorspace "$space")
case $space in
bt709 | smpte240m) matrix=bt709 ;;
bt2020*) matrix=bt2020 ;;
*) matrix=bt601 ;;
esac
# What Y4M can carry: of other pictures (RGB, palettes, packed, with alpha) ffmpeg makes the one that loses least.
planar="yuv420p|yuv422p|yuv444p|yuva444p|yuv411p|gray|yuvj420p|yuvj422p|yuvj444p|gray10le|gray12le|gray16le"
for bits in 10 12 14 16; do planar+="|yuv420p${bits}le|yuv422p${bits}le|yuv444p${bits}le"; done
pixels=$(property pix_fmt)
case $(($(property width) % 2))$pixels in
1yuv42[02]p1?le) planar=yuv444p${pixels#yuv42?p} ;;  # of odd widths ffmpeg writes the others wrongly
esac
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
frames() { ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -vf "$1format=$planar" ${RATE:+-r "$RATE"} -strict -1 -f yuv4mpegpipe -; }
filter() { ${TDM_FILTER:-tdm-filter} --matrix "$matrix" "$@"; }
all=(-map 0:v -map '1:a?' -map_metadata 1 -map_chapters 1 -c:a copy "${tags[@]}")
if [ -z "${PARTS:-}" ]; then
  frames "" | filter "$@" | ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" ${ENCODE:--crf 16} "${all[@]}" "$out"
  exit
fi

mkdir -p "$PARTS"
command=$(printf '%q ' "$in" "$@" "${ENCODE:-}" "${RATE:-}")
if [ -e "$PARTS/command" ] && [ "$(cat "$PARTS/command")" != "$command" ]; then
  echo "ffmpeg-file.sh: $PARTS holds the parts of another command: $(cat "$PARTS/command"); give another folder" >&2
  exit 64
fi
echo "$command" > "$PARTS/command"
rate=${RATE:-$(property r_frame_rate)}
# The parts that runs have finished, and how many frames they have.
list() {
  done=0 runs=0
  : > "$PARTS/parts"
  for finished in "$PARTS"/*.list; do
    [ -e "$finished" ] || continue
    runs=$((runs + 1))
    while read -r part; do
      count=$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of default=nw=1:nk=1 "$PARTS/$part")
      done=$((done + count))
      printf "file '%s'\nduration %s\n" "$part" "$(LC_ALL=C awk "BEGIN { printf \"%.9f\", $count / ($rate) }")" >> "$PARTS/parts"
    done < "$finished"
  done
}
list
if [ ! -e "$PARTS/complete" ]; then
  # Some frames before them again, for those that read what was before.
  lead=$((done < 40 ? done : 40)) run=$(printf '%s/%04d' "$PARTS" "$runs")
  frames "fps=$rate:start_time=0,trim=start_frame=$((done - lead)),setpts=PTS-STARTPTS," | filter "$@" |
    ffmpeg -v error -y -f yuv4mpegpipe -i - -vf "trim=start_frame=$lead,setpts=PTS-STARTPTS" ${ENCODE:--crf 16} "${tags[@]}" \
      -force_key_frames 'expr:gte(t,n_forced*5)' -f segment -segment_time 5 -segment_format nut -reset_timestamps 1 \
      -segment_list "$run.list" -segment_list_type flat "$run-%05d.nut"
  touch "$PARTS/complete"
  list
fi
ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$PARTS/parts" -i "$in" -c:v copy "${all[@]}" "$out"
