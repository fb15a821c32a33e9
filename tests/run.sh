# shellcheck shell=bash
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# The parts of `./dev test`; read by ./dev, whose functions and settings it uses.

PARTS=(lint types unit integration sanity machine molecule)
TREE=$STATE/tree/ansible_collections/steadfast/ec2

part_lint() {
  ruff check .
  ruff format --check .
  yamllint --strict .
  shellcheck dev tests/run.sh .ci/run scripts/drift
  antsibull-changelog lint
  ansible-lint --offline
}

part_types() {
  mypy plugins/module_utils plugins/plugin_utils plugins/filter plugins/inventory
  mypy sandbox
}

part_unit() { pytest tests/unit --numprocesses "${WORKERS:-2}" --dist loadfile --durations 10; }

# against the sandbox without machines
part_integration() { pytest tests/integration -m 'not machine' --numprocesses "${WORKERS:-2}" --dist loadfile --durations 10; }

# against the sandbox with real machines
part_machine() { pytest tests/integration -m machine --numprocesses "${WORKERS:-2}" --dist loadfile --durations 20; }

part_molecule() {
  cd extensions || return
  local port
  port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export STEADFAST_SANDBOX_DIR=$STATE/molecule/sandbox AWS_ENDPOINT_URL=http://127.0.0.1:$port
  trap 'python -m sandbox down' EXIT
  PYTHONPATH=$ROOT python -m sandbox up --port "$port"
  NO_COLOR=1 molecule test --all --no-command-borders
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
  for part in "${wanted[@]}"; do
    declare -F "part_$part" >/dev/null || die "there is no part $part; there are: ${PARTS[*]}"
  done
  case " ${wanted[*]} " in
    *' machine '* | *' molecule '*) setup machines ;;
    *) setup ;;
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

# Several parts, each in a process of its own with its output in a log, whatever the others come to.
# The machines of one part run beside all others; each of them then has one of two processors.
run_parts() {
  local part beside='' failed=0 results=()
  export TAIL=400
  if [[ " $* " == *' machine '* ]]; then
    beside=machine WORKERS=1
    export WORKERS
    begin_part machine
  fi
  for part in "$@"; do
    [[ $part == "$beside" ]] && continue
    begin_part "$part"
    finish_part "$part"
  done
  [[ -z $beside ]] || finish_part "$beside"
  printf '\n'
  printf '    %s\n' "${results[@]}"
  printf '%s passed, %s failed\n' $(($# - failed)) "$failed"
  ((failed == 0))
}

begin_part() { begin "test-$1" "Test: $1" "$ROOT/dev" test "$1"; }

finish_part() {
  local status=passed
  finish "test-$1" || status=FAILED failed=$((failed + 1))
  results+=("$(printf '%-12s %s in %s s' "$1" "$status" $(($(stat -c %Y "$LOGS/test-$1.log") - BEGAN["test-$1"])))")
}
