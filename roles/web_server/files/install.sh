#!/bin/sh
set -e
if command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # At first boot other programs hold the lock for a while.
  install="apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install nginx"
  # Lists may be missing, or too old to name packages that are still there.
  $install || { apt-get -qq -o DPkg::Lock::Timeout=300 update && $install; }
  # The package's welcome page would answer in the place of the sites.
  rm -f /etc/nginx/sites-enabled/default
elif command -v dnf >/dev/null; then
  dnf -q -y install nginx
else
  echo "neither apt-get nor dnf is on this machine: install nginx another way, then run again" >&2
  exit 1
fi
