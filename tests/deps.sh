#!/bin/sh
# Installs the Debian packages named as arguments that are missing; elsewhere names them and stops.
set -eu
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    # Not Debian: see whether the compiler finds what we need before asking for anything.
    if printf '%s\n' '#include <ncurses.h>' '#include <stdio.h>' '#include <readline/readline.h>' \
        '#if __has_include(<iniparser/iniparser.h>)' '#include <iniparser/iniparser.h>' '#else' \
        '#include <iniparser.h>' '#endif' '#include <jansson.h>' '#include <uniwidth.h>' \
        '#include <md4c.h>' '#include <sqlite3.h>' '#include <zlib.h>' |
        ${CC:-cc} -E - >/dev/null 2>&1; then
        exit 0
    fi
    echo "airo needs these libraries with their headers (Debian names):" >&2
    echo "  $*" >&2
    echo "Install them with your system's package manager, then run make again." >&2
    exit 1
fi
missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    case $status in
    *'ok installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
echo "Installing:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Run as root: apt-get install$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
$sudo apt-get update -q >/dev/null || echo "apt-get update failed; going on with the lists there are" >&2
$sudo apt-get install -y -q --no-install-recommends $missing
