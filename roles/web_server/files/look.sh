#!/bin/sh
# Whether nginx is there and runs as it should (exit code 0), and whether it runs with what is in its files, in one look.
# Prints "stale" where nginx read them for the last time before they were written: a run ended in between.
test -x /usr/sbin/nginx || exit 1
state=$(systemctl show --property=ActiveState,UnitFileState,NeedDaemonReload,MainPID nginx)
echo "$state"
for wanted in ActiveState=active UnitFileState=enabled NeedDaemonReload=no; do
  case $state in *"$wanted"*) ;; *) exit 1 ;; esac
done

# A reload gives the master new workers, so the newest of them tells when it was. A file's time is compared with its age.
master=${state##*MainPID=} && master=${master%%[!0-9]*}
read -r up _ </proc/uptime
newest=0
read -r workers 2>/dev/null <"/proc/$master/task/$master/children"
for worker in $workers; do
  read -r stat 2>/dev/null <"/proc/$worker/stat" || continue
  # behind the name, which may have blanks in it: the 20th is when it started, in hundredths of a second since boot (proc(5))
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  test "${20}" -le "$newest" || newest=${20}
done
test "$newest" -gt 0 || exit 0
age=$((${up%.*}${up#*.} - newest))
written=$(find /etc/nginx/conf.d/steadfast.conf /etc/nginx/sites-enabled -maxdepth 0 \
  -newermt "-$(printf '%d.%02d' $((age / 100)) $((age % 100))) seconds" 2>/dev/null)
test -z "$written" || echo stale
