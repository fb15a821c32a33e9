# shellcheck shell=bash
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# The parts of `./dev test`; read by ./dev, whose functions and settings it uses.

# What every change passes, and what is asked of it besides, by whoever has the time: `all` is both. What takes longest comes first, so
# that the two that run at a time end together.
PARTS=(machine integration sanity unit lint types)
EXTRAS=(machine-long molecule integration-long browser)
TREE=$STATE/tree/ansible_collections/steadfast/ec2

part_lint() {
  ruff check .
  ruff format --check .
  yamllint --strict .
  shellcheck dev tests/run.sh .ci/run scripts/drift roles/*/files/*.sh
  antsibull-changelog lint
  ansible-lint --offline
}

part_types() {
  mypy plugins/module_utils plugins/plugin_utils plugins/filter plugins/inventory
  mypy sandbox
}

part_unit() { pytest tests/unit --numprocesses "${WORKERS:-2}" --dist loadfile --durations 10; }

# against the sandbox without machines
part_integration() { pytest tests/integration -m 'not machine and not long' --numprocesses "${WORKERS:-2}" --dist loadfile --durations 10; }

# against the sandbox with real machines
part_machine() { pytest tests/integration -m 'machine and not long' --numprocesses "${WORKERS:-2}" --dist loadfile --durations 20; }

# What takes minutes and hardly ever breaks. Where time is limited (STEADFAST_TESTS_UNTIL in tests/conftest.py), -rs tells what was left out.
long() { pytest tests/integration -m "$1 and long" --numprocesses "${WORKERS:-2}" --dist loadfile --durations 20 -rs; }
part_integration-long() { long 'not machine'; }
part_machine-long() { long machine; }

part_molecule() {
  cd extensions || return
  local port
  port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export STEADFAST_SANDBOX_DIR=$STATE/molecule/sandbox AWS_ENDPOINT_URL=http://127.0.0.1:$port
  trap 'python -m sandbox down' EXIT
  PYTHONPATH=$ROOT python -m sandbox up --port "$port"
  NO_COLOR=1 molecule test --all --no-command-borders
}

# The pages that people look at, in a real browser, which is a large Debian package.
# Pictures of the pages are in .dev/pictures afterwards.
AXE=axe-core@4.11.0
part_browser() {
  local wanted=(chromium chromium-driver fonts-dejavu-core)
  command -v npm >/dev/null || wanted+=(npm)
  apt_packages "${wanted[@]}"
  if [[ ! -f $STATE/axe/$AXE/package/axe.min.js ]]; then
    mkdir -p "$STATE/axe/$AXE"
    (cd "$STATE/axe/$AXE" && tar -xzf "$(npm pack --silent "$AXE")")
  fi
  AXE=$STATE/axe/$AXE/package/axe.min.js PICTURES=$STATE/pictures pytest tests/browser
}

# What a release consists of, in the folder that ansible-test asks for. Its virtual environments are made with ensurepip.
# Of the Pythons that are installed: the oldest for targets, the one that works here, and the newest.
part_sanity() {
  local pythons=$VENV/bin version interpreter
  rm -rf "$STATE/tree" "$STATE/artifact"
  mkdir -p "$TREE" "$STATE/artifact" "$STATE/home/.ansible/test/cache"
  ansible-galaxy collection build --force --output-path "$STATE/artifact"
  tar -xzf "$STATE"/artifact/*.tar.gz -C "$TREE"
  git init --quiet "$TREE" # or it would see a folder that the checkout ignores, and skip everything
  for version in 24_2 24_3_1 25_0 25_2; do
    printf 'import ensurepip\nensurepip.bootstrap()\n' >"$STATE/home/.ansible/test/cache/get_pip_$version.py"
  done
  for version in 8 13; do
    for interpreter in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$version".*/bin/python3."$version" "/usr/bin/python3.$version"; do
      [[ ! -x $interpreter ]] || { pythons+=:$(dirname "$interpreter") && break; }
    done
  done
  cd "$TREE" || return
  env HOME="$STATE/home" PATH="$pythons:/usr/local/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 \
    ansible-test sanity --color no 2>&1 | tee "$LOGS/sanity.txt"
  ! grep -q "All targets skipped" "$LOGS/sanity.txt" || die "ansible-test skipped everything"
}

run_tests() {
  local part wanted=("${@:-${PARTS[@]}}")
  [[ $* != all ]] || wanted=("${EXTRAS[@]}" "${PARTS[@]}")
  for part in "${wanted[@]}"; do
    declare -F "part_$part" >/dev/null || die "there is no part $part; there are: ${PARTS[*]} ${EXTRAS[*]} all"
  done
  case " ${wanted[*]} " in
    # of several parts, the first that starts machines makes their image while another one tests already
    *' machine '* | *' molecule '* | *' machine-long '*) if ((${#wanted[@]} > 1)); then setup dev packages; else setup dev machines; fi ;;
    *) setup dev ;;
  esac
  use_settings
  export PYTHONPATH=$ROOT PIP_CACHE_DIR=$STATE/cache/pip XDG_CACHE_HOME=$STATE/cache
  if ((${#wanted[@]} == 1)); then
    "part_$1"
    say "$1 passed"
  else
    run_parts "${wanted[@]}"
  fi
}

# Several parts, two at a time, each in a process of its own with its output in a log, whatever the others come to.
run_parts() {
  local part queue=("$@") running=() failed=0 results=() said=$EPOCHSECONDS often=300
  [[ ! -t 1 ]] || often=30 # a log that somebody reads afterwards is not to be filled with it
  export TAIL=150 WORKERS=1 # each has one of two processors
  while ((${#queue[@]} + ${#running[@]})); do
    if ((${#queue[@]} && ${#running[@]} < 2)); then
      begin "test-${queue[0]}" "Test: ${queue[0]}" "$ROOT/dev" test "${queue[0]}"
      running+=("test-${queue[0]}")
      queue=("${queue[@]:1}")
      continue
    fi
    sleep 0.5
    if ((EPOCHSECONDS - said >= often)); then
      said=$EPOCHSECONDS
      progress "${running[@]}"
    fi
    for part in "${running[@]}"; do
      runs "$part" || finish_part "${part#test-}"
    done
  done
  printf '\n'
  printf '    %s\n' "${results[@]}"
  printf '%s passed, %s failed\n' $(($# - failed)) "$failed"
  ((failed == 0))
}

# finish_part PART: what it came to goes to the results of run_parts, and it is no longer among those that run.
finish_part() {
  local status=passed others=() name
  finish "test-$1" || status=FAILED failed=$((failed + 1))
  results+=("$(printf '%-12s %s in %s s' "$1" "$status" $((EPOCHSECONDS - BEGAN["test-$1"])))")
  # the names of the tests again, where a log that is cut in the middle still has them
  mapfile -t others < <(grep -E '^(FAILED|ERROR|SKIPPED) ' "$LOGS/test-$1.log" | cut -c 1-200)
  results+=("${others[@]/#/  }")
  others=()
  for name in "${running[@]}"; do
    [[ $name == "test-$1" ]] || others+=("$name")
  done
  running=("${others[@]}")
}
