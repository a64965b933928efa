# Shared by the scripts beside it; sourced, never run. Bash 3.2 (macOS) has to read it.
# shellcheck shell=bash

# The checkout, whatever the working folder and however the script was called.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

say() { printf '%s\n' "$*" >&2; }

# Digest of the given files and of where the checkout lies (venvs and solc launchers hold absolute paths).
digest_of() {
    { printf '%s\n' "$root" && cat -- "$@"; } | if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-64
}

is_stamped() { [ -f "$1" ] && [ "$(cat -- "$1")" = "$2" ]; }

# Runs one step: quiet when it goes well, with all its output when it does not.
quietly() {
    local title=$1 log status began=$SECONDS
    shift
    mkdir -p -- "$root/.tools"
    log=$(mktemp "$root/.tools/log.XXXXXX")
    # Not `… || status=$?`: bash would stop heeding errors inside the function it runs.
    set +e
    (set -e && "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        cat -- "$log" >&2
        rm -f -- "$log"
        die "$title failed (exit $status); its output is above"
    fi
    rm -f -- "$log"
    say "  $title: $((SECONDS - began)) s"
}

# Two set-ups at once would write into each other's folders. flock dies with its last process; where there is none
# (macOS), a folder with the owner's process id does, and is taken over when that process is gone.
take_lock() {
    [ -z "${SHIP_SETUP_LOCKED:-}" ] || return 0
    mkdir -p -- "$root/.tools"
    local lock=$root/.tools/setup.lock owner
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if command -v flock >/dev/null; then
        exec 9>"$lock"
        flock -n 9 || { say "waiting for another set-up of this checkout"; flock 9; }
    else
        until mkdir -- "$lock.d" 2>/dev/null; do
            owner=$(cat -- "$lock.d/pid" 2>/dev/null || true)
            if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
                rm -rf -- "$lock.d"
            else
                sleep 0.2
            fi
        done
        echo $$ >"$lock.d/pid"
        lock_folder=$lock.d
    fi
    export SHIP_SETUP_LOCKED=1
    rm -f -- "$root"/.tools/log.* "$root"/.tools/first.* # of a set-up that was killed
}

# Lets the half that runs in the background end before the lock is given up.
cleanup() {
    [ -z "${background:-}" ] || wait "$background" || true
    [ -z "${lock_folder:-}" ] || rm -rf -- "$lock_folder"
}

# npm as the lock says: no scripts of packages, no questions, nothing looked up but the packages.
npm_ci() {
    local folder=$1
    shift
    (cd -- "$folder" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error "$@")
    # No script of a dependency runs; the project's own does (it may lay its sources out).
    (cd -- "$folder" && npm run --if-present --silent postinstall)
}

# The entries of requirements.lock with these names, hashes included.
locked() {
    local names=" $* "
    awk -v names="$names" '/^[a-zA-Z0-9]/ { split($1, part, "=="); wanted = index(names, " " part[1] " ") } wanted' \
        "$root/requirements.lock"
}

# Fills a virtual environment from the lock. pip installs uv (from the same lock) and uv the rest, five times faster.
# uv reads none of pip's settings: behind a private index it fails and pip does it all. Certificates come from the system,
# which knows a company's own.
# setuptools comes first, because one dependency (construct) is published as source only, and building it in isolation
# would fetch a setuptools no hash vouches for.
install_lock() {
    local python=$1/bin/python first
    first=$(mktemp "$root/.tools/first.XXXXXX")
    locked uv setuptools >"$first"
    "$python" -m pip --disable-pip-version-check --no-input install --quiet --require-hashes --no-deps -r "$first"
    rm -f -- "$first"
    if ! "$1/bin/uv" pip install --quiet --no-config --system-certs --python "$python" --no-build-isolation \
        --require-hashes -r "$root/requirements.lock"; then
        echo "uv could not install the lock; trying pip"
        "$python" -m pip --disable-pip-version-check --no-input install --quiet --require-hashes --no-build-isolation \
            -r "$root/requirements.lock"
    fi
}
