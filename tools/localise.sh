#!/bin/sh
# localise.sh ARCHIVE OUTPUT FOLDER: joins the objects of an archive into one whose hidden symbols are local, and makes an archive of it.
set -eu
mkdir -p "$3"
rm -f "$2"
ld -r --whole-archive "$1" -o "$3/fairforge.o"
objcopy --localize-hidden "$3/fairforge.o"
ar rcs "$2" "$3/fairforge.o"
