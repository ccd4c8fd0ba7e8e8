#!/usr/bin/env bash
# Stops the daemons that tools/slurm_up.sh started for FOLDER, jobs included, and removes FOLDER.
set -u
folder=$(realpath -m "${1:?usage: slurm_down.sh FOLDER}")
[[ -f $folder/slurm.conf ]] || { echo "$folder was not made by slurm_up.sh" >&2; exit 2; }
export SLURM_CONF=$folder/slurm.conf

# A daemon is ours when the process of its pid file has FOLDER in its command line or environment.
ours() { grep -qaF "$folder" "/proc/$1/cmdline" "/proc/$1/environ" 2>/dev/null; }
end() { # signal, pid files
  local signal=$1 file pid
  shift
  for file in "$@"; do
    [[ -s $file ]] || continue
    pid=$(<"$file")
    ours "$pid" && kill "-$signal" "$pid" 2>/dev/null
  done
  return 0
}

timeout 10 scancel --user="$(id -un)" 2>/dev/null
for _ in {1..50}; do [[ -z $(timeout 5 squeue -h 2>/dev/null) ]] && break; sleep 0.1; done
files=("$folder"/run/slurmd-*.pid "$folder"/run/slurmctld.pid "$folder"/run/slurmdbd.pid "$folder"/db/mariadbd.pid
  "$folder"/run/munged.pid)
pids=()
for file in "${files[@]}"; do [[ -s $file ]] && ours "$(<"$file")" && pids+=("$(<"$file")"); done
end TERM "${files[@]}"
for _ in {1..100}; do
  alive=0
  for pid in "${pids[@]:-}"; do [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null && alive=1; done
  ((alive)) || break
  sleep 0.1
done
for pid in "${pids[@]:-}"; do [[ -n $pid ]] && kill -KILL "$pid" 2>/dev/null; done
rm -rf "$folder"
exit 0
