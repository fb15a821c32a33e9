#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases of a static site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_release
short_description: Put a static site on a machine, one release beside the other
version_added: 0.1.0
description:
  - Unpacks a site archive into a release named after its content, and makes it live by one rename of the link
    C(current). The same content is never unpacked twice and reports no change, however it was packed.
  - Paths that outlive releases, such as an images folder on its own EBS volume, are I(shared). Each release has a link to
    them. Files that the archive has under a shared path are put there, beside what is there already. They are written
    where nothing is, and replaced where an earlier release put them. A file that somebody else put there or changed is
    kept, and named in RV(kept). What is under a shared path is not taken back when a release is.
  - After the switch a page can be asked for. When it is not served as declared, the link leads back to the release that was
    live before, and the task fails.
  - Files of the live release that are missing or were changed are repaired. Files that are not the release's are named in
    RV(extra) and left.
  - The archive is read without trusting it. Names that lead out of the release, absolute links, hard links, devices and
    encrypted entries are refused before anything is written.
  - Check mode is exact on the first run too, since the archive is read where it is. With O(url) it is fetched into a temporary file
    for that.
options:
  path:
    description: The document root's folder. It holds C(releases), the link C(current), and the shared paths.
    type: path
    required: true
  src:
    description:
      - The archive (zip, or tar with or without compression) on the controller. A relative path is looked for in C(files) too.
      - It is transferred only when the machine does not have a release of it.
    type: path
  archive:
    description: The archive on the machine itself.
    type: path
  url:
    description:
      - Where the machine fetches the archive from (C(http) or C(https)).
      - With O(checksum) it is fetched only when the machine does not have a release of it, otherwise in each run.
    type: str
  checksum:
    description: The sha256 of the archive, as hexadecimal. An archive with another one is refused.
    type: str
  manifest:
    description:
      - The files of the archive, when the archive itself is not on the machine in check mode.
      - Made from O(src) by the module's own action; not meant to be written by hand.
    type: dict
  release:
    description:
      - Go to a release that is on the machine, by its id, or to V(previous), the one that was live before the one that the link names
        now.
      - What was live before it stays recorded, so that V(previous) twice goes two releases back.
    type: str
  strip_components:
    description: How many leading folders of the names in the archive are dropped.
    type: int
    default: 0
  shared:
    description: Paths below O(path) that all releases share, such as V(images).
    type: list
    elements: str
    default: []
  keep:
    description:
      - How many releases stay. The live one and the one before it stay always.
      - Only releases that this module made are removed, and never across a mount.
    type: int
    default: 3
  probe:
    description: The page that has to be served after the switch. Redirects are not followed.
    type: dict
    suboptions:
      url:
        description: The address, asked for on the machine itself and not through a proxy.
        type: str
        required: true
      status:
        description: The HTTP status codes that count as served, at least one.
        type: list
        elements: int
        default: [200]
      contains:
        description: A text that has to be in the page.
        type: str
      host:
        description: The C(Host) header, to reach one site among several.
        type: str
      timeout:
        description: For how many seconds it is tried.
        type: float
        default: 15.0
  owner:
    description: The owner of files and folders that are written.
    type: str
    default: root
  group:
    description: The group of files and folders that are written.
    type: str
    default: root
  mode:
    description: The mode of files that are written, as an octal number in quotes.
    type: str
    default: "0644"
  directory_mode:
    description: The mode of folders that are created, as an octal number in quotes.
    type: str
    default: "0755"
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows the release before and after, with the files that differ.
    support: full
  idempotent:
    description: A second run with the same content changes nothing.
    support: full
author: The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Deploy the site, with its images on their own volume
  steadfast.ec2.site_release:
    src: site-1.4.tar.gz
    path: /var/www/html
    shared: [images]
    probe:
      url: http://127.0.0.1/
      contains: Welcome

- name: Deploy an archive that the machine fetches itself
  steadfast.ec2.site_release:
    url: https://example.com/template.zip
    checksum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    strip_components: 1
    path: /var/www/html

- name: Go back to the release before
  steadfast.ec2.site_release:
    release: previous
    path: /var/www/html
"""

RETURN = r"""
release:
  description: The release that is live, or would be.
  returned: success
  type: dict
  contains:
    id:
      description: Its name, made from its content.
      type: str
    path:
      description: Its folder.
      type: str
    previous:
      description: The release that V(previous) leads to from it.
      type: str
    files:
      description: How many files and links the archive has.
      type: int
  sample: {id: 3f0c6d2b9a7e4415, path: /var/www/html/releases/3f0c6d2b9a7e4415, previous: 91aa0cf2e7d84b06, files: 12}
kept:
  description: Files under shared paths that differ from the archive and were left, since no release has put them there.
  returned: success
  type: list
  elements: str
extra:
  description: Files in the release that are not in its archive. They were left.
  returned: success
  type: list
  elements: str
plan:
  description: The changes, each with its kind, name, action, reasons and attributes.
  returned: success
  type: list
  elements: dict
summary:
  description: The plan in one line.
  returned: success
  type: str
notes:
  description: What is worth knowing and no change.
  returned: success
  type: list
  elements: str
error:
  description: Why it failed, as data.
  returned: failure
  type: dict
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main
from ansible_collections.steadfast.ec2.plugins.module_utils.site.definition import DEFINITION

if __name__ == "__main__":
    main(DEFINITION)
