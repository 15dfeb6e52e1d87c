#!/usr/bin/env bash
# What a GPU is needed for, within a time limit, on a machine that has torch but no network.
#
#   benchmarks/gpu.sh wheels [PYTHON_VERSION]   with a network: put what that machine may lack into wheels/
#   benchmarks/gpu.sh run FOLDER [SECONDS]      there: checks of all methods, the analytic tasks in the paper preset, and
#                                               the throughput of every forward model; 540 seconds where omitted
#
# `run` leaves everything in FOLDER, and continues where it was: finished cells are kept. DEVICE=cpu and PRESET=smoke try
# it without a GPU; PYTHON is the interpreter, python3 where omitted.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

# Pure Python, built here; and packages with compiled parts, for the other machine's Python.
PURE="FrEIA nflows platformdirs tabulate filelock"
COMPILED="msgspec"

wheels() {
    rm -rf wheels && mkdir wheels
    "$python" -m pip wheel --quiet --no-deps -c constraints.txt -w wheels $PURE .
    "$python" -m pip download --quiet --no-deps --only-binary=:all: -c constraints.txt -d wheels \
        --python-version "${1:-3.12}" --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 $COMPILED
    ls -l wheels
}

run() {
    folder=$(realpath -m "$1"); end=$((SECONDS + ${2:-540})); mkdir -p "$folder"
    if ! "$python" -c "import msgspec, FrEIA, nflows, tabulate, platformdirs, filelock" 2>/dev/null; then
        "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$folder/.site" --upgrade wheels/*.whl
        export PYTHONPATH="$folder/.site"
    fi
    export OMP_NUM_THREADS=1
    device=${DEVICE:-cuda} preset=${PRESET:-paper}
    methods=$("$python" -c 'from harness.registry import discover; print(*discover("methods"))')
    "$python" -c 'import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu")' |
        tee "$folder/machine.txt"
    within 90 "$python" benchmarks/throughput.py --device "$device" --out "$folder/throughput.json" ||
        echo "throughput: not finished"
    if [ ! -s "$folder/check.txt" ]; then
        code=0
        within 150 "$python" -m harness check $methods > "$folder/check.part" || code=$?
        cat "$folder/check.part" 2>/dev/null || true
        if [ "$code" -le 1 ] && [ -s "$folder/check.part" ]; then mv "$folder/check.part" "$folder/check.txt"; fi
    fi
    for method in $methods; do
        within 600 "$python" -m harness run --preset "$preset" --device "$device" --methods "$method" --tasks analytic \
            --out "$folder/results" --quiet >> "$folder/run.txt" 2>&1 || echo "$method: not finished"
    done
    "$python" -m harness table all --out "$folder/results" > "$folder/tables.md" || true
    "$python" -m harness list results --out "$folder/results"
}

# Run a command for at most so many seconds, and not past the end.
within() {
    local most=$1 left=$((end - SECONDS - 15)); shift
    [ "$left" -gt 5 ] || { echo "no time left for: $*"; return 124; }
    timeout --signal=INT --kill-after=10 "$((left < most ? left : most))" "$@"
}

case "${1:-}" in
    wheels) shift; wheels "$@" ;;
    run) shift; run "$@" ;;
    *) sed -n '2,10p' "$0" | cut -c3-; exit 2 ;;
esac
