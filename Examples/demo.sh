#!/bin/sh
# Restores a clip through the pipe that users build, measures it, and puts before and after side by side.
#
#   demo.sh                          paints a clip, degrades it, restores it
#   CLIP=my.mp4 demo.sh              restores your clip as it is, all of it unless FRAMES says how much
#   CLIP=my.mp4 NOISE=25 demo.sh     adds noise of about 25/255 to your clip first, and so can measure how it is denoised
#
# environment: CLIP, NOISE, TASK (denoise), FRAMES (the first so many only), OPTIONS (further options for the filter),
#              OUT (demo), TDM_FILTER (the program)
set -eu
here=$(dirname "$0")
filter=${TDM_FILTER:-$here/../.build/program/release/tdm-filter}
out=${OUT:-demo} task=${TASK:-denoise} options=${OPTIONS:-}
mkdir -p "$out"

ff() { ffmpeg -nostdin -hide_banner -v error -y "$@"; }
lossless="-strict -1 -c:v ffv1 -an"

# Adds Poisson-Gaussian noise, of deviation $2 in mid-grey. The noise filter's deviation is its strength / sqrt(3);
# the variance is 23% read noise and 77% in proportion to the light.
add_noise() {
  strength=$(awk "BEGIN { printf \"%d\", $2 * sqrt(3) + 0.5 }")
  ff -i "$1" -filter_complex "
[0]format=gbrp,split[picture][size];
[size]geq=r=128:g=128:b=128,noise=alls=$strength:allf=t[noise];
[picture][noise]lut2=c0='clip(x+(y-128)*sqrt(0.23+0.77*x/128),0,255)':c1='clip(x+(y-128)*sqrt(0.23+0.77*x/128),0,255)':\
c2='clip(x+(y-128)*sqrt(0.23+0.77*x/128),0,255)',format=yuv420p" $lossless "$3"
}

# What each task repairs, done to the painted clip.
degrade() {
  case $task in
  denoise) add_noise "$1" "${NOISE:-25}" "$2" ;;
  derain)
    ff -i "$1" -filter_complex "
[0]format=gbrp,split[picture][size];
[size]geq=r=0:g=0:b=0,noise=alls=100:allf=t,format=gray,lut=y='if(gt(val,92),255,0)',
dblur=angle=78:radius=14,lut=y='clip(val*8,0,140)',format=gbrp[rain];
[picture][rain]blend=all_mode=screen,format=yuv420p" $lossless "$2"
    ;;
  dehaze) ff -i "$1" -vf "lutrgb=r='val*0.45+118':g='val*0.45+119':b='val*0.45+121',format=yuv420p" $lossless "$2" ;;
  deartifact | mp4)
    ff -i "$1" -c:v libx264 -crf 38 -pix_fmt yuv420p -an "$out/compressed.mp4"
    ff -i "$out/compressed.mp4" $lossless "$2"
    ;;
  superres | sr) ff -i "$1" -vf "scale=iw/4:ih/4:flags=bicubic,format=yuv420p" $lossless "$2" ;;
  *)
    echo "demo: no task $task: denoise, derain, dehaze, deartifact or superres" >&2
    exit 64
    ;;
  esac
}

limit=${FRAMES:+-frames:v $FRAMES}
# What Y4M can carry: of other pictures (RGB, palettes, packed or with alpha) ffmpeg makes the one that loses least.
planar="-vf format=yuv420p|yuv422p|yuv444p|yuv411p|gray|yuvj420p|yuvj422p|yuvj444p"
planar="$planar|yuv420p10le|yuv422p10le|yuv444p10le|gray10le"
planar="$planar|yuv420p12le|yuv422p12le|yuv444p12le|gray12le"
for name in clean.mkv before.mkv after.mkv side-by-side.mp4; do
  if [ "${CLIP:-}" -ef "$out/$name" ]; then
    echo "demo: CLIP=$CLIP: is where the demo writes, and would be lost; give OUT=another-folder" >&2
    exit 64
  fi
done
clean=
if [ -z "${CLIP:-}" ]; then
  clean=$out/clean.mkv
  sh "$here/demo-scene.sh" "$out/scene.mkv" "${FRAMES:-24}"
  ff -i "$out/scene.mkv" -pix_fmt yuv420p $lossless "$clean"
  degrade "$out/scene.mkv" "$out/before.mkv"
  rm "$out/scene.mkv"
elif [ -n "${NOISE:-}" ]; then
  if [ "$task" != denoise ]; then
    echo "demo: NOISE is added to a CLIP for TASK=denoise, found TASK=$task: leave one of the two out" >&2
    exit 64
  fi
  clean=$out/clean.mkv
  ff -i "$CLIP" $limit $planar $lossless "$clean"
  add_noise "$clean" "$NOISE" "$out/before.mkv"
else
  ff -i "$CLIP" $limit $planar $lossless "$out/before.mkv"
fi

# The pipe. sh has no pipefail: the filter's own status goes to a file.
echo "ffmpeg -i $out/before.mkv -f yuv4mpegpipe - | tdm-filter --task $task $options | ffmpeg -i - $out/after.mkv"
{
  ffmpeg -nostdin -v error -i "$out/before.mkv" -f yuv4mpegpipe -strict -1 - || echo "demo: ffmpeg failed" >&2
} | {
  status=0
  # Options are words.
  # shellcheck disable=SC2086
  "$filter" --task "$task" $options || status=$?
  echo $status >"$out/status"
} | ffmpeg -hide_banner -v error -y -f yuv4mpegpipe -i - $lossless "$out/after.mkv" || true
status=$(cat "$out/status")
rm "$out/status"
[ "$status" = 0 ] || exit "$status"

# Both pictures at the size of the restored one.
same_size="[0][1]scale2ref=flags=bicubic[before][after]"
psnr() {
  ffmpeg -nostdin -hide_banner -i "$1" -i "$clean" -lavfi "[0][1]scale2ref=flags=bicubic[a][b];[a]format=gbrp[x];[b]format=gbrp[y];[x][y]psnr" -f null - 2>&1 |
    sed -n 's/.*PSNR.*average:\([0-9.inf]*\).*/\1/p'
}
if [ -n "$clean" ]; then
  echo "PSNR before: $(psnr "$out/before.mkv") dB"
  echo "PSNR after:  $(psnr "$out/after.mkv") dB"
fi
ff -i "$out/before.mkv" -i "$out/after.mkv" -filter_complex "$same_size;[before][after]hstack,
pad=ceil(iw/2)*2:ceil(ih/2)*2,format=yuv420p" -c:v libx264 -crf 14 -movflags +faststart "$out/side-by-side.mp4"

# One frame from the middle, and under it its centre three times as large.
count=$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$out/after.mkv")
ff -i "$out/before.mkv" -i "$out/after.mkv" -filter_complex "
$same_size;[before]select='eq(n,$((count / 2)))'[b];[after]select='eq(n,$((count / 2)))'[a];[b][a]hstack=shortest=1,split[whole][more];
[more]split[left][right];
[left]crop=trunc(iw/6):trunc(ih/3):iw/6:ih/3,scale=iw*3:ih*3:flags=neighbor[l];
[right]crop=trunc(iw/6):trunc(ih/3):iw*2/3:ih/3,scale=iw*3:ih*3:flags=neighbor[r];
[l][r]hstack,split[detail][reference];[reference]nullsink;[whole]null[w];
[detail][w]scale2ref=w=iw:h='ow/mdar'[d][w2];[w2][d]vstack" -frames:v 1 "$out/side-by-side.png"
echo "before | after: $out/side-by-side.png, $out/side-by-side.mp4; restored: $out/after.mkv"
