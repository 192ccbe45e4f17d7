#!/bin/bash
# The server of Arkouda: finds its locales, and starts Arkouda on all of them by ssh (GASNet's ssh spawner over UDP).
#
# ARKOUDA_USER, ARKOUDA_UID, ARKOUDA_GROUP, ARKOUDA_GID: as whom it runs.
# MY_IP, NUMLOCALES: of this pod, and of all locales. APP_NAME: the label of the locales' pods.
# K8S_HOST, NAMESPACE: where the Kubernetes API is, and which namespace is ours.
# COLLECT_METRICS, MEMTRACK, AUTHENTICATE, LOG_LEVEL, CHPL_MEM_MAX: how Arkouda runs.
set -euo pipefail

keys=/home/ubuntu/ssh-keys
home=/home/$ARKOUDA_USER

# The spawner starts Arkouda by ssh on each locale, and on this pod as well: sshd gives it no variable that is not named here.
# SSH_OPTIONS becomes a part of a shell's command line, of about a thousand characters: hence the quotes, and names alone.
# The first line of the file is before any Match.
passed=(SSL_TOKEN CACERT_FILE K8S_HOST NAMESPACE APP_NAME POD_METHOD ARKOUDA_SERVER_NAME ARKOUDA_CLIENT_MODE
  EXTERNAL_SERVICE_NAME EXTERNAL_SERVICE_PORT EXTERNAL_SERVICE_TARGET_PORT
  METRICS_SERVICE_NAME METRICS_SERVICE_PORT METRICS_SERVICE_TARGET_PORT
  CHPL_RT_NUM_THREADS_PER_LOCALE GASNET_SUPERNODE_MAXSIZE)
sudo sed -i "1i AcceptEnv ${passed[*]}" /etc/ssh/sshd_config
export SSH_OPTIONS="-o SendEnv='${passed[*]}'"

sudo service ssh start

if [[ $ARKOUDA_GROUP != ubuntu ]] && ! getent group "$ARKOUDA_GROUP" >/dev/null; then
  sudo groupadd --gid "$ARKOUDA_GID" "$ARKOUDA_GROUP"
fi
if [[ $ARKOUDA_USER != ubuntu ]] && ! getent passwd "$ARKOUDA_USER" >/dev/null; then
  sudo useradd --create-home --uid "$ARKOUDA_UID" --gid "$ARKOUDA_GID" --shell /bin/bash "$ARKOUDA_USER"
fi
# The user's own group, to which its keys belong.
if [[ $ARKOUDA_USER != ubuntu ]] && ! getent group "$ARKOUDA_USER" >/dev/null; then
  sudo groupadd "$ARKOUDA_USER"
  sudo usermod --append --groups "$ARKOUDA_USER" "$ARKOUDA_USER"
fi

sudo install -d -m 0700 -o "$ARKOUDA_USER" -g "$ARKOUDA_USER" "$home/.ssh"
sudo install -m 0600 -o "$ARKOUDA_USER" -g "$ARKOUDA_USER" "$keys/id_rsa" "$home/.ssh/id_rsa"
sudo install -m 0644 -o "$ARKOUDA_USER" -g "$ARKOUDA_USER" "$keys/id_rsa.pub" "$home/.ssh/id_rsa.pub"
sudo install -m 0600 -o "$ARKOUDA_USER" -g "$ARKOUDA_USER" "$keys/id_rsa.pub" "$home/.ssh/authorized_keys"

# Arkouda reads the token from this variable when it registers its services; it goes there by ssh, and is written nowhere.
SSL_TOKEN=$(cat /opt/sa/token)
CACERT_FILE=/opt/sa/ca.crt
export SSL_TOKEN CACERT_FILE

locales=$(python3 /opt/arkouda-contrib/arkouda_integration/client/scripts/pods.py \
  "-c=$CACERT_FILE" "-k=$SSL_TOKEN" "-kh=$K8S_HOST" -i=GET_POD_IPS "-n=$NAMESPACE" "-a=$APP_NAME")
if [[ -z ${locales//[[:space:]]/} ]]; then
  echo "no locale was found: no pod with the label app=$APP_NAME in $NAMESPACE" >&2
  exit 1
fi
SSH_SERVERS="$MY_IP $locales"
GASNET_MASTERIP=$MY_IP
export SSH_SERVERS GASNET_MASTERIP

daemons=ServerDaemonType.INTEGRATION
if [[ $COLLECT_METRICS == true ]]; then
  daemons+=,ServerDaemonType.METRICS
fi

command=(/opt/arkouda/arkouda_server -nl "$NUMLOCALES"
  --ExternalIntegration.systemType=SystemType.KUBERNETES
  "--ServerDaemon.daemonTypes=$daemons"
  "--memTrack=$MEMTRACK"
  "--authenticate=$AUTHENTICATE"
  "--logLevel=$LOG_LEVEL"
  "--memMax=$CHPL_MEM_MAX")
if [[ $ARKOUDA_USER != ubuntu ]]; then
  command=(sudo --preserve-env --set-home --user "$ARKOUDA_USER" -- "${command[@]}")
fi
exec "${command[@]}"
