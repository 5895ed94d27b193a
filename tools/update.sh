#!/bin/sh
# Put the reader's edited notebooks into my/, restore the book's, and pull.
# A notebook that was only opened is no edited one (tools/edited.py). Nothing is ever overwritten: a name that is taken in my/ gets a number.
set -u
cd "$(dirname "$0")/.."

stop() {
    printf '%s\n' "$*" >&2
    exit 1
}

command -v git >/dev/null || stop "make update needs git, which is not installed here."
git rev-parse --verify --quiet HEAD >/dev/null 2>&1 && [ -z "$(git rev-parse --show-prefix)" ] ||
    stop "This folder was not made with git clone, so there is nothing to update it from."

changed() {
    git -c core.quotePath=false diff --name-only "$@" HEAD -- 'chapters/*.ipynb' 'solutions/*.ipynb'
}

for python in .venv/bin/python .venv/Scripts/python.exe python3 python; do
    "$python" -c '' >/dev/null 2>&1 && break
    python=
done
edited() {
    if [ -n "$python" ]; then "$python" tools/edited.py; else cat; fi
}

edits=$(changed --diff-filter=d | edited) || # the status is that of `edited`
    stop "The notebooks could not be compared; the reason stands above. Nothing was changed."
printf '%s' "${edits:+$edits
}" | while read -r notebook; do
    name=$(basename "$notebook" .ipynb)
    case $notebook in solutions/*) name=$name-solved ;; esac
    copy=my/$name.ipynb
    number=2
    while [ -e "$copy" ] && ! cmp -s "$notebook" "$copy"; do
        copy=my/$name-$number.ipynb
        number=$((number + 1))
    done
    mkdir -p my && cp -p "$notebook" "$copy" ||
        stop "$notebook could not be copied to $copy; nothing was changed."
    echo "your $notebook is now $copy"
done || exit 1
changed | while read -r notebook; do
    git checkout --quiet HEAD -- "$notebook" || exit 1
done || stop "git could not restore the book's notebooks; the reason stands above. Your notebooks are in my/."

if ! git rev-parse --verify --quiet '@{upstream}' >/dev/null 2>&1; then
    echo "This clone follows no remote branch, so there is nothing newer to get."
elif ! git pull --ff-only; then
    stop "git could not get the newest version; the reason stands above. Your notebooks are safe in my/."
fi
