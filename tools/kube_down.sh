#!/usr/bin/env bash
# Stops the servers that tools/kube_up.sh started for FOLDER, and removes FOLDER.
set -u
folder=$(realpath -m "${1:?usage: kube_down.sh FOLDER}")
[[ -f $folder/tokens.csv ]] || { echo "$folder was not made by kube_up.sh" >&2; exit 2; }

ours() { grep -qaF "$folder" "/proc/$1/cmdline" 2> /dev/null; }
pids=()
for name in kube-controller-manager kube-apiserver etcd; do
  file=$folder/run/$name.pid
  [[ -s $file ]] && ours "$(< "$file")" && pids+=("$(< "$file")")
done
for pid in "${pids[@]:-}"; do [[ -n $pid ]] && kill -TERM "$pid" 2> /dev/null; done
for _ in {1..100}; do
  alive=0
  for pid in "${pids[@]:-}"; do [[ -n $pid ]] && ours "$pid" && alive=1; done
  ((alive)) || break
  sleep 0.1
done
for pid in "${pids[@]:-}"; do [[ -n $pid ]] && ours "$pid" && kill -KILL "$pid" 2> /dev/null; done
rm -rf "$folder"
exit 0
