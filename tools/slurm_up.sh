#!/usr/bin/env bash
# Starts a real, throw-away Slurm on this machine, for tests and for people who work on the Slurm launcher.
#
#   tools/slurm_up.sh [--nodes N] [--accounting] [--cgroup] [--strict] FOLDER
#
# Everything it writes lies in FOLDER: key, sockets, logs, state, `env.sh` (to be sourced: it sets SLURM_CONF).
# `tools/slurm_down.sh FOLDER` stops what it started. It needs root, and on Debian or Ubuntu the packages slurm-wlm and
# munge (with --accounting also slurmdbd and mariadb-server); it installs nothing by itself unless CI=true.
#
# N nodes are N daemons on one host. Partitions: `debug` (default), `low`, which `high` may preempt, `short` of two
# minutes at most. A node whose name stands in FOLDER/bad-nodes fails in its Prolog, and one in FOLDER/slow-nodes stays in
# it. MIN_JOB_AGE and MAX_JOB_ID are Slurm's options of these names.
# --accounting adds a database, so that sacct answers. --strict (with --accounting) enforces it: account `lab` may submit,
# and `small`, which has two nodes, and `rationed`, whose jobs have 60 processor minutes together; the QOS `few` takes two
# jobs, `brief` none longer than a minute, `narrow` none of more than two GPUs, `metered` none of more than 60 processor
# minutes, `long` heeds no partition's time limit, and the partition `ruled` has the QOS `brief`.
# --cgroup (cgroup v1 with the memory controller) makes Slurm enforce --mem, so that OUT_OF_MEMORY is real.
set -euo pipefail

nodes=3 accounting=0 cgroup=0 strict=0 folder=
while (($#)); do
  case $1 in
    --nodes) nodes=$2; shift ;;
    --accounting) accounting=1 ;;
    --cgroup) cgroup=1 ;;
    --strict) strict=1 accounting=1 ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) folder=$(realpath -m "$1") ;;
  esac
  shift
done
[[ -n $folder ]] || { echo "usage: slurm_up.sh [--nodes N] [--accounting] [--cgroup] [--strict] FOLDER" >&2; exit 2; }
((EUID == 0)) || { echo "slurm_up.sh needs root: Slurm's daemons start jobs as their owners" >&2; exit 3; }

programs=(slurmctld slurmd munged) packages=(slurm-wlm munge)
if ((accounting)); then programs+=(slurmdbd mariadbd) packages+=(slurmdbd mariadb-server); fi
lacks() { for program in "${programs[@]}"; do PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || return 0; done; return 1; }
if lacks && [[ ${CI:-} == true ]]; then
  # Without this, Debian starts daemons of its own beside ours.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap "rm -f $policy" EXIT; fi
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
if lacks; then echo "missing: apt-get install ${packages[*]}" >&2; exit 3; fi
PATH=$PATH:/usr/sbin

mkdir -p "$folder"/{run,log,state,spool,munge,bin}
chmod 755 "$folder" "$folder"/{run,log,state,spool,munge}

read -ra port <<<"$(python3 "$(dirname "$0")/free_ports.py" $((nodes + 3)))"

# A munge of our own: the machine's, if it has one, is left alone.
socket=$folder/munge/socket
head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 600 "$folder/munge/key"
munged --force --key-file="$folder/munge/key" --socket="$socket" --pid-file="$folder/run/munged.pid" \
  --log-file="$folder/log/munged.log" --seed-file="$folder/munge/seed" --num-threads=2

cat >"$folder/bin/prolog" <<PROLOG
#!/bin/sh
while grep -qsx "\$SLURMD_NODENAME" "$folder/slow-nodes"; do sleep 0.1; done
[ -e "$folder/bad-nodes" ] && grep -qx "\$SLURMD_NODENAME" "$folder/bad-nodes" && exit 1
exit 0
PROLOG
chmod +x "$folder/bin/prolog"
host=$(hostname -s)
storage=accounting_storage/none
((accounting)) && storage=accounting_storage/slurmdbd
{
  cat <<CONF
ClusterName=throwaway
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${port[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
SwitchType=switch/none
GresTypes=gpu
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
KillWait=3
MinJobAge=${MIN_JOB_AGE:-300}
MaxJobId=${MAX_JOB_ID:-67043328}
Prolog=$folder/bin/prolog
PrologFlags=Alloc
SlurmdTimeout=30
MessageTimeout=10
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
AccountingStorageType=$storage
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${port[1]}
AccountingStoragePass=$socket
CONF
  ((accounting)) && echo 'AccountingStorageTRES=gres/gpu'
  ((strict)) && echo 'AccountingStorageEnforce=associations,limits,qos,safe'
  if ((cgroup)); then
    printf 'ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\n'
  else
    printf 'ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n'
  fi
  for ((i = 1; i <= nodes; i++)); do
    echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[i + 2]} CPUs=8 RealMemory=4000 Gres=gpu:4"
  done
  cat <<CONF
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=5 OverSubscribe=NO
PartitionName=short Nodes=ALL MaxTime=2 State=UP PriorityTier=5 OverSubscribe=NO
PartitionName=low Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=requeued Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
CONF
  ((strict)) && echo 'PartitionName=ruled Nodes=ALL MaxTime=INFINITE State=UP QOS=brief'
  true
} >"$folder/slurm.conf"
# Four GPUs a node that only Slurm believes in: it hands them out, and CUDA_VISIBLE_DEVICES says which.
for device in null zero full random; do echo "NodeName=n[1-$nodes] Name=gpu File=/dev/$device"; done >"$folder/gres.conf"
if ((cgroup)); then
  sed -i 's/CR_CPU$/CR_CPU_Memory/; s/^MinJobAge/DefMemPerCPU=200\n&/' "$folder/slurm.conf"
  printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainRAMSpace=yes\nAllowedSwapSpace=0\n' \
    >"$folder/cgroup.conf"
else
  printf 'CgroupAutomount=no\n' >"$folder/cgroup.conf"
fi
export SLURM_CONF=$folder/slurm.conf

if ((accounting)); then
  mkdir -p "$folder/db"
  mariadb-install-db --no-defaults --user=root --datadir="$folder/db" --skip-test-db --auth-root-authentication-method=socket \
    >"$folder/log/db-install.log" 2>&1
  setsid mariadbd --no-defaults --user=root --datadir="$folder/db" --socket="$folder/db/sock" \
    --pid-file="$folder/db/mariadbd.pid" --bind-address=127.0.0.1 --port="${port[2]}" \
    --innodb-buffer-pool-size=32M --innodb-lock-wait-timeout=900 >"$folder/log/db.log" 2>&1 </dev/null &
  for _ in {1..300}; do mariadb-admin --socket="$folder/db/sock" ping >/dev/null 2>&1 && break; sleep 0.1; done
  mariadb --socket="$folder/db/sock" -e "create database accounts; create user slurm@'127.0.0.1' identified by 'slurm';
    grant all on accounts.* to slurm@'127.0.0.1'"
  cat >"$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=${port[1]}
SlurmUser=root
PidFile=$folder/run/slurmdbd.pid
LogFile=$folder/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=${port[2]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=accounts
CONF
  chmod 600 "$folder/slurmdbd.conf"
  slurmdbd
  for _ in {1..30}; do timeout 2 sacctmgr -n list cluster >/dev/null 2>&1 && break; sleep 0.2; done
  sacctmgr -i -Q add cluster throwaway >/dev/null 2>&1 || true
  sacctmgr -i -Q add account lab >/dev/null 2>&1 || true
  sacctmgr -i -Q add user root account=lab >/dev/null 2>&1 || true
  sacctmgr -i -Q add account small set grptres=node=2 >/dev/null 2>&1 || true
  sacctmgr -i -Q add user root account=small >/dev/null 2>&1 || true
  sacctmgr -i -Q add account rationed set grptresmins=cpu=60 >/dev/null 2>&1 || true
  sacctmgr -i -Q add user root account=rationed >/dev/null 2>&1 || true
  sacctmgr -i -Q add qos few,brief,narrow,long,metered >/dev/null 2>&1 || true
  sacctmgr -i -Q modify qos metered set maxtresmins=cpu=60 >/dev/null 2>&1 || true
  sacctmgr -i -Q modify qos few set maxsubmitjobsperuser=2 >/dev/null 2>&1 || true
  sacctmgr -i -Q modify qos long set flags=PartitionTimeLimit >/dev/null 2>&1 || true
  sacctmgr -i -Q modify qos brief set maxwall=00:01:00 >/dev/null 2>&1 || true
  sacctmgr -i -Q modify user root set qos+=few,brief,narrow,long,metered,normal >/dev/null 2>&1 || true
fi

slurmctld
for ((i = 1; i <= nodes; i++)); do mkdir -p "$folder/spool/n$i"; slurmd -N "n$i"; done
printf 'export SLURM_CONF=%q\n' "$SLURM_CONF" >"$folder/env.sh"
for _ in {1..150}; do [[ $(sinfo -h -p debug -t idle -o %D 2>/dev/null) == "$nodes" ]] && break; sleep 0.1; done
if [[ $(sinfo -h -p debug -t idle -o %D) != "$nodes" ]]; then
  echo "not all nodes came up; see $folder/log" >&2
  sinfo >&2
  exit 1
fi
if ((strict)); then # the accounts hear of GPUs from the controller, and not at once
  for _ in {1..50}; do sacctmgr -i -Q modify qos narrow set maxtres=gres/gpu=2 2>/dev/null | grep -q narrow && break; sleep 0.2; done
fi
echo "up: source $folder/env.sh"
