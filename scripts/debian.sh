#!/usr/bin/env bash
# Brings programs that tests use and that no Python package brings: on Debian and its children only.
# Into .tools/debian, unpacked and not installed, so no daemon starts, and no root is needed where apt knows its lists:
#   prometheus   promtool tests the alert rules; the server answers the dashboards' queries
#   prometheus-alertmanager   amtool checks who is told; the server tells a mailbox of the tests
#   kcat         the README's example of another consumer
#   postgresql   a real server for the tests of the alarm history
#   mosquitto    a real MQTT broker for the tests of the gateway
# Installed, as root alone, because many libraries and a configuration of its own belong to it:
#   chromium     the browser that the tests drive the page with
#   curl         the example of a device without a program
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

installed() {
  local program found= lacking=()
  for program in chromium chromium-browser google-chrome; do
    ! type -P "$program" >/dev/null || found=yes
  done
  # A font with it: without any, every letter is an empty box.
  [ -n "$found" ] || lacking+=(chromium fonts-dejavu-core)
  # The program that drives it, Playwright's Node, loads this library, which a bare Debian has not.
  [[ $(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null) == *libatomic.so.1* ]] || lacking+=(libatomic1)
  command -v curl >/dev/null || lacking+=(curl)
  [ ${#lacking[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "debian: no ${lacking[*]} here, and no root or no apt to install it: tests that need it are skipped" >&2
    return 0
  fi
  echo "debian: installing ${lacking[*]}" >&2
  install=(apt-get install -y -qq --no-install-recommends "${lacking[@]}")
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be missing, or tell of versions that are no longer there.
  "${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; } >&2 ||
    echo "debian: apt does not bring ${lacking[*]}: tests that need it are skipped" >&2
}
installed

packages=(prometheus prometheus-alertmanager kcat librdkafka1 libyajl2)
programs=(prometheus promtool prometheus-alertmanager amtool kcat)
root=.tools/debian

missing=()
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || [ -x "$root/usr/bin/$program" ] || missing+=("$program")
done
servers=$(compgen -G "/usr/lib/postgresql/*/bin/initdb" || compgen -G "$root/usr/lib/postgresql/*/bin/initdb" || true)
dumps=$(command -v pg_dump || compgen -G "$root/usr/lib/postgresql/*/bin/pg_dump" || true)
[ -n "$servers" ] && [ -n "$dumps" ] || missing+=(postgresql)
[ -x /usr/sbin/mosquitto ] || [ -x "$root/usr/sbin/mosquitto" ] || missing+=(mosquitto)
# Debian's Alertmanager reads these files of its package at their own place alone, and does not start without them.
alertmanager_templates() {
  local folder=/usr/share/prometheus/alertmanager
  if [ ! -e "$folder/email.tmpl" ] && [ -e "$root$folder/email.tmpl" ] && [ "$(id -u)" = 0 ]; then
    install -D -m 644 -t "$folder" "$root$folder"/*.tmpl ||
      echo "debian: $folder cannot be written: tests of Alertmanager are skipped" >&2
  fi
}
[ ${#missing[@]} -gt 0 ] || { alertmanager_templates; exit 0; }
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "debian: no ${missing[*]} here, and no apt to bring them: tests that need them are skipped" >&2
  exit 0
fi

echo "debian: unpacking ${packages[*]} into $root" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The release's PostgreSQL and the libraries that it loads; what every Debian has, and its compiler of queries, stay out.
postgresql() {
  local server
  server=$(apt-cache depends postgresql | awk '/Depends: postgresql-[0-9]+$/ {print $2}')
  [ -n "$server" ] || return 1
  echo "$server"
  echo "postgresql-client-${server##*-}" # pg_dump and pg_restore
  # shellcheck disable=SC2046 # a list of names
  apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    "$server" $(apt-cache depends "$server" | awk '/Depends: lib(ldap|gssapi|pq)/ {print $2}') \
    | awk '/Depends: lib/ && !/lib(c6|gcc-s1|stdc\+\+6|llvm[0-9.]*)$/ {print $2}' | sort -u
}
# The MQTT broker and the libraries that not every Debian has.
mosquitto() {
  echo mosquitto
  apt-cache depends mosquitto | awk '/Depends: lib(cjson|dlt|mosquitto|wrap)/ {print $2}'
}
fetch() {
  local found
  found=$(postgresql && mosquitto) || return 1
  # shellcheck disable=SC2086 # a list of names
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $found)
}
if ! fetch 2>/dev/null; then
  [ "$(id -u)" != 0 ] || apt-get update -qq >&2
  if ! fetch >&2; then
    echo "debian: apt does not bring ${packages[*]}: run 'apt-get update' as root; tests that need it are skipped" >&2
    exit 0
  fi
fi
mkdir -p "$root"
for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$root"; done
alertmanager_templates
