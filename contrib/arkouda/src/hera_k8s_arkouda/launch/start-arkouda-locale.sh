#!/bin/bash
# A locale of Arkouda: lets the server in by ssh, and stays.
#
# ARKOUDA_USER, ARKOUDA_UID, ARKOUDA_GROUP, ARKOUDA_GID: as whom the server comes.
# The readiness probe of the pod looks for the file that is made last.
set -euo pipefail

ready=${TMPDIR:-/tmp}/arkouda-locale-ready
rm -f "$ready"
keys=/home/ubuntu/ssh-keys
home=/home/$ARKOUDA_USER

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

touch "$ready"
# As the first process of its container bash would not hear TERM without a trap, and deletion would take its whole grace.
trap 'exit 0' TERM INT
sleep infinity &
wait
