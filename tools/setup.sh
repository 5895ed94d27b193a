#!/bin/sh
# Make .venv and install the package into it, with the versions of constraints.txt. Called by make.
#
#     tools/setup.sh lab python3     what the book needs
#     tools/setup.sh bench python3   that, and what speed is measured beside
#     tools/setup.sh test python3    all that, what builds the book and its web site, and what checks them
#     tools/setup.sh site python3    all that, and what looks at the web site with a browser
#
# Whatever can be missing on a reader's machine is named in one sentence.
set -u
cd "$(dirname "$0")/.."
goal=$1 python=$2

stop() {
    printf '\n%s\n' "$*" >&2
    exit 1
}
new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ ! -e .venv ]; then
    "$python" -c '' 2>/dev/null ||
        stop "There is no command $python that runs here: install Python 3.11 or newer, or name the one you have: make PYTHON=/path/to/python3 $goal"
    if ! new_enough "$python"; then
        for newer in python3.14 python3.13 python3.12 python3.11; do
            new_enough "$newer" &&
                stop "The book needs Python 3.11 or newer, and $python is $("$python" --version 2>&1); there is a newer one here: make PYTHON=$newer $goal"
        done
        stop "The book needs Python 3.11 or newer, and $python is $("$python" --version 2>&1): install a newer one and name it: make PYTHON=/path/to/python3 $goal"
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        stop "This Python comes without its venv module: install it (on Debian and Ubuntu: sudo apt install python3-venv) and run make $goal again."
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv .venv || { rm -rf .venv; stop "Python could not make the folder .venv here; the reason stands above."; }
fi

if [ -x .venv/Scripts/python.exe ]; then bin=.venv/Scripts; else bin=.venv/bin; fi
new_enough "$bin/python" && "$bin/python" -m pip --version >/dev/null 2>&1 ||
    stop "The folder .venv is damaged, was moved, or belongs to an older Python: remove it with make clean, and run make $goal again."

# Settings that would send the packages somewhere else than into .venv.
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1
errors=.venv/pip-errors.txt

install() {
    "$bin/python" -m pip install --constraint constraints.txt "$@" 2>"$errors" && return
    grep -q -E 'ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|name resolution|getaddrinfo|unreachable' "$errors" &&
        stop "pip could not reach its package index: connect to the network (or set PIP_INDEX_URL or HTTPS_PROXY to what you use) and run make $goal again."
    cat "$errors" >&2
    stop "pip could not install the packages; the reason stands above. When it is mended, run make $goal again."
}

case $goal in
    lab) extras=book,cli ;;
    bench) extras=book,cli,bench ;;
    test) extras=book,cli,tensorboard,bench,maker,site,test ;;
    site) extras=book,cli,tensorboard,bench,maker,site,test,browser ;;
    *) stop "tools/setup.sh installs for lab, bench, test or site, not for $goal." ;;
esac
echo "Installing the packages into .venv; the first time this takes some minutes"
# setuptools builds our package, in the tested version: not in an environment of pip's own.
install setuptools
install --no-build-isolation --editable ".[$extras]"
rm -f "$errors"
# A kernel that is told from others by its name, in JupyterLab and where a notebook's Python is chosen.
"$bin/python" -m ipykernel install --sys-prefix --name python3 --display-name "A3C book" >/dev/null ||
    stop "Jupyter's kernel could not be installed into .venv; the reason stands above."
# JupyterLab's versions are fixed here, so it need not ask a reader about news and updates.
mkdir -p .venv/share/jupyter/lab/settings
echo '{"@jupyterlab/apputils-extension:notification":
    {"fetchNews": "false", "checkForUpdates": false}}' >.venv/share/jupyter/lab/settings/overrides.json
# What asks the site's pages for contrast and names, where there is npm to bring it; its tests are
# skipped without.
if [ "$goal" = site ] && command -v npm >/dev/null; then
    mkdir -p build/axe
    npm pack --silent --pack-destination build/axe axe-core@4.14.1 >/dev/null &&
        tar -xzf build/axe/axe-core-4.14.1.tgz -C build/axe package/axe.min.js ||
        echo "npm did not bring axe-core: the tests of contrast and names will be skipped." >&2
fi
touch .venv/ready-for-lab ".venv/ready-for-$goal"
if [ "$goal" = site ]; then touch .venv/ready-for-test; fi
