#!/bin/bash
# Restores a video file and keeps its sound, its colours' tags, and its title and chapters; subtitles are left out.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
usage="usage: ffmpeg-file.sh IN OUT [options of tdm-filter]"
in=${1:?$usage} out=${2:?$usage}
shift 2
property() { ffprobe -v error -select_streams v:0 -show_entries "stream=$1" -of default=nw=1:nk=1 "$in" | head -n 1; }
# Y4M does not tell what the colours mean: the filter is told, and the new file.
tags=() matrix=()
case $(property pix_fmt) in
*rgb* | *bgr* | gbr* | pal8) is_rgb=yes tags=(-colorspace smpte170m -color_range tv) ;;  # what ffmpeg makes of it below
*) is_rgb= ;;
esac
for tag in color_space:colorspace color_primaries:color_primaries color_transfer:color_trc color_range:color_range; do
  case $is_rgb:$tag in yes:color_space:* | yes:color_range:*) continue ;; esac
  value=$(property "${tag%:*}")
  case $value in
  "" | unknown | gbr) ;;
  *) tags+=("-${tag#*:}" "$value") ;;
  esac
  case $tag:$value in color_space:*:bt709 | color_space:*:smpte170m | color_space:*:bt470bg | color_space:*:bt2020nc) matrix=(--matrix "$value") ;; esac
done
# What Y4M can carry: of other pictures (RGB, palettes, packed or with alpha) ffmpeg makes the one that loses least.
planar="-vf format=yuv420p|yuv422p|yuv444p|yuv411p|gray|yuvj420p|yuvj422p|yuvj444p"
planar="$planar|yuv420p10le|yuv422p10le|yuv444p10le|gray10le"
planar="$planar|yuv420p12le|yuv422p12le|yuv444p12le|gray12le"
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 $planar -strict -1 -f yuv4mpegpipe - |
  ${TDM_FILTER:-tdm-filter} ${matrix[@]+"${matrix[@]}"} "$@" |
  ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" -map 0:v -map '1:a?' -map_metadata 1 -map_chapters 1 -c:a copy -crf 16 \
    ${tags[@]+"${tags[@]}"} "$out"
