#!/usr/bin/env bash
# Starts a real, throw-away Kubernetes API server on this machine, with etcd and the controller manager, for tests and
# for people who work on the Kubernetes launchers. There is no kubelet and no scheduler: whoever wants a pod to get
# somewhere sets its status, as a kubelet would.
#
#   tools/kube_up.sh FOLDER            builds what is missing, starts it, writes FOLDER/kubeconfig
#   tools/kube_up.sh --build           builds only
#
# `tools/kube_down.sh FOLDER` stops what it started. The servers are built from Debian's source package `kubernetes`
# (1.20), once, into $AUTORESEARCH_TEST_CACHE (default /tmp/autoresearch-test-cache)/kubernetes: about ten minutes of
# one core. What that needs (Go, etcd, openssl) is installed only with CI=true, as root on Debian; without it a missing
# part is named. Three things of the source are changed, because Debian does not build these servers:
# the API server goes without its generated OpenAPI document, reflect2 is Debian's own (Go 1.18 and later need it), and
# cloud providers are left out.
set -euo pipefail
cache=${AUTORESEARCH_TEST_CACHE:-/tmp/autoresearch-test-cache}/kubernetes
servers=(kube-apiserver kube-controller-manager)
packages=(etcd-server openssl golang-1.19-go golang-github-modern-go-reflect2-dev dpkg-dev)
reflect2=/usr/share/gocode/src/github.com/modern-go/reflect2

folder= only_build=0
while (($#)); do
  case $1 in
    --build) only_build=1 ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) folder=$(realpath -m "$1") ;;
  esac
  shift
done
[[ -n $folder ]] || ((only_build)) || { echo "usage: kube_up.sh [--build | FOLDER]" >&2; exit 2; }

built() { for one in "${servers[@]}"; do [[ -x $cache/bin/$one ]] || return 1; done; }

lacking() { # what is missing on this machine, in words
  command -v etcd > /dev/null || echo etcd-server
  command -v openssl > /dev/null || echo openssl
  built && return
  [[ -x /usr/lib/go-1.19/bin/go ]] || echo golang-1.19-go
  [[ -d $reflect2 ]] || echo golang-github-modern-go-reflect2-dev
  command -v dpkg-source > /dev/null || echo dpkg-dev
}

install() { # Debian starts a daemon of its own beside ours unless it is told not to
  local policy=/usr/sbin/policy-rc.d mine=0
  if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; mine=1; fi
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" > /dev/null
  if ((mine)); then rm -f $policy; fi
}

fetch() { # fetch INTO: the source package, from wherever this machine's apt gets its packages
  local into=$1 apt entry
  mkdir -p "$into"/{parts,lists/partial}
  for entry in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    case $entry in
      *.sources) sed 's/^Types:.*/Types: deb-src/' "$entry" > "$into/parts/${entry##*/}" ;;
      *.list) [[ -e $entry ]] && sed -n 's/^deb /deb-src /p' "$entry" > "$into/parts/${entry##*/}" ;;
    esac
  done
  apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$into/parts"
    -o "Dir::State::lists=$into/lists" -o APT::Sandbox::User=root)
  "${apt[@]}" update || true # a third party that has no source packages is no matter
  if ! (cd "$into" && "${apt[@]}" source --download-only kubernetes); then
    echo "apt's sources have no source package of kubernetes; Debian 12's main archive has it" >&2
    exit 3
  fi
  compgen -G "$into/kubernetes_1.20*.dsc" > /dev/null && return
  echo "only Kubernetes 1.20 is known to build here, and apt's sources have another: that of Debian 12 is needed" >&2
  exit 3
}

build() {
  local work=$cache/work tree=$cache/work/go/src/k8s.io/kubernetes main
  rm -rf "$work"
  mkdir -p "$work/go/src/k8s.io" "$cache/bin"
  fetch "$work/source"
  (cd "$work/source" && dpkg-source --no-check -x ./*.dsc "$tree" > /dev/null)
  main=$tree/cmd/kube-apiserver/app/server.go
  sed -i -e '/genericConfig.OpenAPIConfig = /d; /genericConfig.OpenAPIConfig.Info/d' \
    -e '/extensionsapiserver "/d; /aggregatorscheme "/d; /openapinamer "/d' \
    -e 's#generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"#openapicommon "k8s.io/kube-openapi/pkg/common"#' \
    -e 's/genericConfig.OpenAPIConfig, clientgo/\&openapicommon.Config{}, clientgo/' "$main"
  rm "$tree"/vendor/github.com/modern-go/reflect2/*.go
  cp $reflect2/*.go "$tree/vendor/github.com/modern-go/reflect2/"
  (cd "$tree" && env PATH="/usr/lib/go-1.19/bin:$PATH" GO111MODULE=off GOFLAGS= CGO_ENABLED=0 GOPATH="$work/go" \
    GOCACHE="$work/cache" nice -n 10 go build -tags providerless \
    -ldflags "-s -w" -o "$work/bin/" \
    "${servers[@]/#/k8s.io/kubernetes/cmd/}")
  for main in "${servers[@]}"; do mv "$work/bin/$main" "$cache/bin/"; done
  rm -rf "$work"
}

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
missing=$(lacking)
if [[ -n $missing && ${CI:-} == true && $EUID -eq 0 ]] && command -v apt-get > /dev/null; then
  install
  missing=$(lacking)
fi
if [[ -n $missing ]]; then echo "missing: apt-get install" $missing >&2; exit 3; fi
built || build
exec 9>&-
if ((only_build)); then exit 0; fi

mkdir -p "$folder"/{run,log,data,certs}
read -ra port <<< "$(python3 "$(dirname "$0")/free_ports.py" 3)"
openssl genrsa -out "$folder/certs/accounts.key" 2048 2> /dev/null
word=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
printf '%s,admin,1,system:masters\n%s-2,researcher,2,\n' "$word" "$word" > "$folder/tokens.csv"
chmod 600 "$folder/tokens.csv"

launch() { # launch NAME COMMAND...: in the background, with its pid and log in the folder
  local name=$1
  shift
  setsid "$@" > "$folder/log/$name.log" 2>&1 < /dev/null &
  echo $! > "$folder/run/$name.pid"
}
etcd=http://127.0.0.1:${port[0]}
launch etcd etcd --data-dir "$folder/data" --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
  --listen-peer-urls "http://127.0.0.1:${port[1]}" --unsafe-no-fsync
launch kube-apiserver "$cache/bin/kube-apiserver" --etcd-servers "$etcd" --bind-address 127.0.0.1 \
  --advertise-address 127.0.0.1 --secure-port "${port[2]}" --cert-dir "$folder/certs" \
  --token-auth-file "$folder/tokens.csv" --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 \
  --service-account-issuer https://kubernetes.default.svc --feature-gates TTLAfterFinished=true \
  --service-account-key-file "$folder/certs/accounts.key" --service-account-signing-key-file "$folder/certs/accounts.key"

configuration() { # configuration FILE TOKEN NAMESPACE
  cat > "$1" <<CONF
apiVersion: v1
kind: Config
current-context: throwaway
clusters:
- name: throwaway
  cluster: {server: "https://127.0.0.1:${port[2]}", certificate-authority: $folder/certs/apiserver.crt}
users:
- name: someone
  user: {token: $2}
contexts:
- name: throwaway
  context: {cluster: throwaway, user: someone, namespace: $3}
CONF
  chmod 600 "$1"
}
configuration "$folder/kubeconfig" "$word" lab
configuration "$folder/researcher.kubeconfig" "$word-2" lab

ask() { # ask WORDS...: one request as the administrator
  python3 - "$folder" "https://127.0.0.1:${port[2]}" "$word" "$@" <<'PY'
import ssl, sys, urllib.request
folder, server, token, path, *body = sys.argv[1:]
trust = ssl.create_default_context(cafile=f"{folder}/certs/apiserver.crt")
wanted = urllib.request.Request(server + path, data=body[0].encode() if body else None)
wanted.add_header("Authorization", f"Bearer {token}")
wanted.add_header("Content-Type", "application/json")
urllib.request.urlopen(wanted, context=trust, timeout=30).read()
PY
}
up=0
for _ in {1..300}; do if ask /readyz 2> /dev/null; then up=1; break; fi; sleep 0.5; done
if ! ((up)); then echo "the API server did not come up; see $folder/log" >&2; tail -n 5 "$folder"/log/*.log >&2; exit 1; fi
launch kube-controller-manager "$cache/bin/kube-controller-manager" --kubeconfig "$folder/kubeconfig" \
  --service-account-private-key-file "$folder/certs/accounts.key" --leader-elect=false --port 0 --secure-port 0 \
  --controllers 'job,namespace,serviceaccount,serviceaccount-token,garbagecollector,podgc,resourcequota,ttl-after-finished' \
  --feature-gates TTLAfterFinished=true --terminated-pod-gc-threshold 1000
ask /api/v1/namespaces '{"metadata": {"name": "lab"}}'
for _ in {1..300}; do ask /api/v1/namespaces/lab/serviceaccounts/default 2> /dev/null && break; sleep 0.2; done
echo "up: export KUBECONFIG=$folder/kubeconfig"
