#!/bin/sh
# Runs test programs (cmocka, TAP output), two at a time, and ends with one line for the whole run.
set -u
logs=${AIRO_BUILD:-build}/test-logs
rm -rf "$logs"
mkdir -p "$logs/cache"
XDG_CACHE_HOME=$(cd "$logs/cache" && pwd) # prompts that programs under test keep; gone with the logs
export XDG_CACHE_HOME
export CMOCKA_MESSAGE_OUTPUT=TAP LC_ALL=C.UTF-8 logs
for test in "$@"; do echo "$test"; done | xargs -P "${JOBS:-2}" -I{} sh -c '
    name=$(basename {})
    timeout "${TEST_TIMEOUT:-300}" {} >"$logs/$name.log" 2>&1
    status=$?
    echo $status >"$logs/$name.status"
    if [ $status = 0 ]; then echo "ok   $name"; else echo "FAIL $name (status $status)"; fi'
passed=0 failed=0 skipped=0
for log in "$logs"/*.log; do
    # Some versions of cmocka print a skipped test as "not ok N # SKIP".
    s=$(grep -ciE "^(not )?ok .*# skip" "$log")
    p=$(grep -c "^ok " "$log") f=$(grep "^not ok " "$log" | grep -civ "# skip")
    p=$((p + $(grep -ciE "^not ok .*# skip" "$log")))
    # A program that died or ran out of time fails, whatever it had printed.
    if [ "$(cat "${log%.log}.status")" != 0 ]; then
        [ "$f" -gt 0 ] || f=1
        grep -v "^ok " "$log" | tail -40
    fi
    passed=$((passed + p - s)) failed=$((failed + f)) skipped=$((skipped + s))
done
if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"
else echo "$passed passed, $failed failed"; fi
[ $failed = 0 ] && [ $passed -gt 0 ]
