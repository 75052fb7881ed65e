#!/bin/sh
# Makes Tests/SpeechDataTests/Fixtures/tars with GNU tar: what shards look like, and what must not be in them.
set -eu
out=$(cd "$(dirname "$0")/../Tests/SpeechDataTests/Fixtures/tars" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

pack() {
    name=$1
    shift
    tar --blocking-factor=1 --mtime=@0 --owner=0 --group=0 --numeric-owner --sort=name -P -cf "$out/$name.tar" "$@"
}
many() { printf "$1%.0s" $(seq "$2"); }

# One folder too long for a header, and two that ustar splits.
for folder in "long/$(many a 110)" "split/$(many a 60)/$(many b 60)" short/é; do
    mkdir -p "$folder"
    printf 'RIFF %s' "${folder%%/*}" >"$folder/1.x.wav"
    printf ' bert é\n' >"$folder/1.x.spk"
done
printf 'words' >short/é/1.x.txt
pack gnu --format=gnu long split short
pack pax --format=pax --pax-option=delete=atime,delete=ctime long split short
pack ustar --format=ustar split short

printf 'sound' >good.wav
printf 'gina' >good.spk
ln -s good.wav link.wav
ln good.wav hard.wav
mkfifo pipe.wav
printf 'sound' >outside.wav
printf 'sound' >absolute.wav
truncate -s 1M sparse.wav
printf 'sound' >>sparse.wav
pack hostile --format=gnu --transform='s,^outside,a/../../outside,' --transform='s,^absolute,/tmp/absolute,' \
    good.spk good.wav link.wav hard.wav pipe.wav outside.wav absolute.wav
pack sparse-gnu --format=gnu --sparse good.spk good.wav sparse.wav
pack sparse-pax --format=pax --sparse --pax-option=delete=atime,delete=ctime good.spk good.wav sparse.wav
