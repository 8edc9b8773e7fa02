#!/bin/bash
# Restores a video file and keeps its sound, its colours' tags, and its title and chapters; subtitles are left out.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
#   ENCODE   how ffmpeg encodes, in place of "-crf 16", as in ENCODE="-c:v libx265 -crf 18"
#   RATE     the constant frame rate to make of a variable one, as in RATE=30
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
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -vf "format=$planar" ${RATE:+-r "$RATE"} -strict -1 -f yuv4mpegpipe - |
  ${TDM_FILTER:-tdm-filter} --matrix "$matrix" "$@" |
  ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" -map 0:v -map '1:a?' -map_metadata 1 -map_chapters 1 -c:a copy \
    ${ENCODE:--crf 16} "${tags[@]}" "$out"
