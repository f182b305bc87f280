#!/usr/bin/env bash
# Runs every test of the repository. On Debian as root it installs what is missing; elsewhere it says what to install.
#   tests/run.sh                 everything
#   tests/run.sh --filter NAME   passed on to `dotnet test`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v redis-server >/dev/null || missing+=(redis-server)
debian=no
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then debian=yes; fi
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium-headless-shell >/dev/null; then
  # Without windows it takes less; where it is a package, it is worth having beside the whole browser.
  if [ "$debian" = yes ] || ! command -v chromium >/dev/null; then missing+=(chromium-headless-shell); fi
fi
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$debian" = no ]; then
    echo "Install first: ${missing[*]} (any Chromium will do: name it by the variable CHROMIUM)." >&2
    exit 2
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  if ! apt-cache show chromium-headless-shell >/dev/null 2>&1; then missing=("${missing[@]/chromium-headless-shell/chromium}"); fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v dotnet >/dev/null || { echo "Install the .NET SDK 10 first." >&2; exit 2; }

# Nothing here runs long enough to win back what profiling for the optimizer costs: a quarter of the processor time of tests in a browser.
export DOTNET_TieredPGO=0

results="$(mktemp -d)"
trap 'rm -rf "$results"' EXIT
# One compiler for all projects, also where machines that build are told to start one for each: its start is most of what a project costs.
UseSharedCompilation=true dotnet build Monolith.sln -c Debug -nologo -v quiet
status=0
# One project at a time: together they take as long, and what measures time measures the others.
for project in architecture-tests/*.csproj tests/*.Tests/*.csproj; do
  name="$(basename "$project" .csproj)"
  echo "== $name"
  # A test that hangs is named and ends its project, instead of holding everything.
  dotnet test "$project" --no-build -nologo -v quiet --blame-hang-timeout 10m --blame-hang-dump-type none --logger "console;verbosity=minimal" --logger "trx;LogFileName=$name.trx" --results-directory "$results" "$@" || status=1
done

# One line that sums all projects, from the result files and not from the console.
shopt -s nullglob
passed=0 failed=0 skipped=0
for file in "$results"/*.trx; do
  counters="$(grep -o '<Counters [^>]*>' "$file" | head -1)"
  count() { sed -E "s/.* $1=\"([0-9]+)\".*/\1/" <<<"$counters"; }
  passed=$((passed + $(count passed)))
  failed=$((failed + $(count failed) + $(count error) + $(count timeout) + $(count aborted)))
  # Not its "notExecuted", which stays 0.
  skipped=$((skipped + $(count total) - $(count executed)))
done
[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
