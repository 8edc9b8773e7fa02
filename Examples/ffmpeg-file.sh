#!/bin/bash
# Restores a video file and keeps its sound, its colours' tags, its title and chapters, and between containers of one kind its subtitles
# and attachments.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
#   ENCODE      how ffmpeg encodes, as in ENCODE="-c:v libx265 -crf 18"; by itself it makes H.264 with -crf 16, of .webm VP9, and of
#               sound that OUT cannot hold what ffmpeg takes for it
#   INPUT       options of ffmpeg for IN, as in INPUT="-ss 60 -t 2" for two seconds to try
#   PREFILTER   filters of ffmpeg for the frames before they are restored, as in PREFILTER=bwdif for interlaced ones
#   RATE        the constant frame rate to make of a variable one, as in RATE=30
#   PARTS       a folder: what is restored is kept there every five seconds of it, and the same command goes on from there
#   TDM_FILTER  the program, where it is not on the PATH
set -euo pipefail  # a pipe fails where its first command does
say() { echo "ffmpeg-file.sh: $*" >&2; }
if [ $# -lt 2 ] || [ "$1" = --help ]; then
  sed -n '/^# /s/^# //p;/^set/q' "$0" >&2
  exit 64
fi
# A name that begins with a dash is no option, and one with a colon no protocol. (IN may also be an address.)
file() { case $1 in /* | ./* | ../* | *://*) echo "$1" ;; *) echo "./$1" ;; esac; }
in=$(file "$1") out=$(file "$2") parts=${PARTS:+$(file "$PARTS")} tdm_filter=${TDM_FILTER:-tdm-filter}
shift 2
if [ "$in" -ef "$out" ]; then
  say "$out: is IN itself, which would be lost; give another name"
  exit 64
fi
if ! command -v "$tdm_filter" > /dev/null; then
  say "$tdm_filter: not found; install it, or give TDM_FILTER=.build/program/release/tdm-filter"
  exit 69
fi
for tool in ffmpeg ffprobe; do
  if ! command -v $tool > /dev/null; then
    say "$tool: not found; install ffmpeg"
    exit 69
  fi
done
# The first line of it alone: ffprobe tells it again for each program of a transport stream.
probe() { ffprobe -v error -show_entries "$1" -of default=nw=1:nk=1 "${@:2}" "$in" | sed -n 1p; }
property() { probe "stream=$1" -select_streams v:0; }
# Writes a file. ffmpeg ends well where it could not write a file's end, as on a full disk: its messages tell.
write() {
  ffmpeg -v error -y "$@" 2>&1 | {
    status=0
    while IFS= read -r line; do
      echo "$line" >&2
      case $line in *"Error writing trailer"* | *"Error closing file"* | *"when ending segment"*) status=74 ;; esac
    done
    exit $status
  }
}
case $in in
*://* | *%*d*) ;;  # an address, or numbered pictures
*)
  if [ ! -e "$in" ]; then
    say "$in: no such file"
    exit 66
  fi
  ;;
esac
if [ -z "$(property width)" ]; then
  say "$in: no pictures in it; expected a file with video"
  exit 65
fi
# What ffmpeg takes for AVI, MPEG and the parts below, if it is not told, is MPEG-4 or MPEG-2 at 200 kbit/s.
case ${ENCODE:-} in
*-c:v* | *-vcodec* | *-codec:v* | *-c\ * | *-codec\ *) encode=$ENCODE chosen=yes ;;
*)
  chosen=
  case ${out,,} in
  *.webm) encode="-c:v libvpx-vp9 -b:v 0" ;;
  *.avi) encode="-c:v libx264 -bf 0" ;;  # it has no times of its own for frames out of order
  *.mp4 | *.m4v | *.mov | *.mkv | *.ts | *.mts | *.m2ts | *.flv) encode="-c:v libx264" ;;
  *)
    say "$out: what to encode it with is not known; give ENCODE=\"-c:v ...\", or a name in .mp4 or .mkv"
    exit 64
    ;;
  esac
  encode+=" ${ENCODE:--crf 16}"
  ;;
esac
if [ -n "$parts" ]; then
  case " $encode " in
  *" -vf "* | *" -filter"*)
    say "ENCODE=\"$encode\": filters would cut the parts wrongly, and cannot be joined with them; leave PARTS out"
    exit 64
    ;;
  esac
  mkdir -p "$parts"
  command=$(printf '%q ' "$in" "$@" "$encode" "${INPUT:-}" "${PREFILTER:-}" "${RATE:-}")
  if [ -n "$(find "$parts" -maxdepth 1 -name '*.nut' -print -quit)" ] && [ "$(cat "$parts/command")" != "$command" ]; then
    say "$parts holds the parts of another command: $(cat "$parts/command"); give another folder, or delete this one"
    exit 64
  fi
  echo "$command" > "$parts/command"
fi
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
planar="yuv420p|yuv422p|yuv444p|yuv411p|gray|yuvj420p|yuvj422p|yuvj444p|gray10le|gray12le|gray16le"
for bits in 10 12 14 16; do planar+="|yuv420p${bits}le|yuv422p${bits}le|yuv444p${bits}le"; done
pixels=$(property pix_fmt)
case $pixels in
yuva* | rgba* | bgra* | argb* | abgr* | gbrap* | ya*)
  if [ -z "$chosen" ]; then
    say "$in: its alpha is left out; ENCODE=\"-c:v ffv1\" keeps it, for which OUT has to be .mkv"
  else
    planar+="|yuva444p"
    case $pixels in *1[0-9]?e | *64?e | *f32?e) say "$in: frames with alpha get 8 bits, more of which Y4M does not carry" ;; esac
  fi
  ;;
esac
odd=$(($(property width) % 2))$(($(property height) % 2))
case $odd$pixels in
1?yuv42[02]p1?le) planar=yuv444p${pixels#yuv42?p} ;;  # of odd widths ffmpeg writes the others wrongly
1?yuv*42[02]p | ?1yuv*420p*)
  # libx264 takes no others of odd sides.
  case $encode in "-c:v libx264 "*) encode="-pix_fmt yuv444p$(grep -o '1[0-9]le$' <<< "$pixels" || true) $encode" ;; esac
  ;;
esac
trap 'status=$?; [ $status = 0 ] || say "$in: not restored; the messages above say why"' EXIT
# Of these containers ffmpeg counts time from where the first of the streams begins that it reads: both read the sound and a picture.
sound=() picture=() sounds=$(probe stream=index -select_streams a)
case $(probe format=format_name) in
mpegts | mpeg)
  picture=(-map 1:v:0 -c copy -frames:v 1 -f null /dev/null)
  if [ -n "$sounds" ]; then sound=(-map 0:a -c copy -f null /dev/null); fi
  ;;
esac
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
frames() {
  local filters=$1
  shift
  ffmpeg -nostdin -v error ${INPUT:-} -i "$in" -map 0:v:0 -vf "$begin${PREFILTER:+$PREFILTER,}${filters}format=$planar" ${RATE:+-r "$RATE"} "$@" \
    -strict -1 -f yuv4mpegpipe - "${sound[@]}"
}
begin=""
# Of the header, where a frame follows.
rate=$(sound=() && frames "" -frames:v 1 | LC_ALL=C sed -n '1{s/.* F\([0-9]*\):\([0-9]*\).*/\1\/\2/;h;};2{/^FRAME/{x;p;};}') || true
if [ -z "$rate" ]; then
  say "$in: none of its pictures can be decoded${INPUT:+, or none is left by INPUT=\"$INPUT\"}"
  exit 65
fi
# Pictures that begin less than a frame after the sound would have their first one repeated: the sound begins so much earlier instead.
late=$(LC_ALL=C awk -v pictures="$(property start_time)" -v all="$(probe format=start_time)" -v skipped="${INPUT:-}" '
  BEGIN { late = pictures - all; if (skipped != "" || late < 0 || late * '"($rate)"' >= 1) late = 0; printf "%.6f", late }')
if [ "$late" != 0.000000 ]; then begin="setpts=PTS-STARTPTS,"; fi
seconds=$(property duration)
case $seconds in "" | N/A) seconds=$(probe format=duration) ;; esac
if [ -n "${INPUT:-}" ]; then seconds=0; fi  # not known
# Restores what comes, which are all frames but so many.
filter() {
  local left
  left=$(LC_ALL=C awk -v seconds="$seconds" "BEGIN { printf \"%d\", seconds * ($rate) - $1 }")
  shift
  if [ "$left" -gt 0 ]; then set -- --expected-frames "$left" "$@"; fi
  "$tdm_filter" --matrix "$matrix" "$@"
}
all=(-map 0:v -map '1:a?' -map_metadata 1 -map_chapters 1 "${tags[@]}")
if [ -n "$sounds" ]; then
  tried=$(mktemp -d)
  if ffmpeg -nostdin -v quiet -i "$in" -map 0:a -c copy -t 0.1 "$tried/sound.${out##*.}"; then
    all+=(-c:a copy)
    if [ -n "${INPUT:-}" ]; then all+=(-copypriorss 0); fi  # or sound since the key frame before
  else
    say "$out cannot hold the sound as it is: it is encoded anew"
  fi
  rm -r "$tried"
fi
# In another container most of them have another form.
from=${in##*.} to=${out##*.}
if [ "${from,,}" = "${to,,}" ]; then all+=(-map '1:s?' -c:s copy); fi
case ${from,,}:${to,,} in mkv:mkv) all+=(-map '1:t?' -c:t copy) ;; esac
# Of two options for one thing ffmpeg takes the last: the user's.
all=(-itsoffset "-$late" ${INPUT:-} -i "$in" "${all[@]}" $encode)
if [ -z "$parts" ]; then
  frames "" | filter 0 "$@" | write -f yuv4mpegpipe -i - "${all[@]}" "$out" "${picture[@]}"
  exit
fi

# How many frames a part has that is whole; fails of others. Asked once, of which "whole" is the record.
count() {
  local told
  told=$(sed -n "s/^$1 //p" "$parts/whole")
  if [ -z "$told" ]; then
    # Frames and packets, and what is wrong with them.
    told=$(ffprobe -v error -count_frames -count_packets -show_entries stream=nb_read_frames,nb_read_packets -of csv=p=0 "$parts/$1" 2>&1) || return
    [ "${told%,*}" = "${told#*,}" ] && [ "${told%,*}" -gt 0 ] 2> /dev/null || return
    told=${told%,*}
    echo "$1 $told" >> "$parts/whole"
  fi
  echo "$told"
}
# The parts that runs have finished, and how many frames they have.
list() {
  local part frames
  done=0 runs=0
  : > "$parts/parts"
  touch "$parts/whole"
  for finished in "$parts"/*.list; do
    [ -e "$finished" ] || continue
    runs=$((runs + 1))
    while read -r part; do
      # Of a run that was stopped among the frames that lead, the only part is empty; where the disk was full, one is cut short. The next
      # run went on, or goes on, from there.
      frames=$(count "$part") || break
      done=$((done + frames))
      printf "file '%s'\nduration %s\n" "$part" "$(LC_ALL=C awk "BEGIN { printf \"%.9f\", $frames / ($rate) }")" >> "$parts/parts"
    done < "$finished"
  done
}
list
if [ ! -e "$parts/complete" ]; then
  # Some frames before them again, for those that read what was before.
  lead=$((done < 40 ? done : 40)) run=$(printf '%s/%04d' "$parts" "$runs")
  frames "fps=$rate:start_time=0,trim=start_frame=$((done - lead)),setpts=PTS-STARTPTS," | filter $((done - lead)) "$@" |
    write -f yuv4mpegpipe -i - -vf "trim=start_frame=$lead,setpts=PTS-STARTPTS" $encode "${tags[@]}" \
      -force_key_frames 'expr:gte(t,n_forced*5)' -f segment -segment_time 5 -segment_format nut -reset_timestamps 1 \
      -segment_list "$run.list" -segment_list_type flat "${run//%/%%}-%05d.nut"
  touch "$parts/complete"
  list
fi
write -nostdin -f concat -safe 0 -i "$parts/parts" "${all[@]}" -c:v copy "$out" "${picture[@]}"
