# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: machines
short_description: The machines of the machine server as an inventory
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads all machines from the machine server (C(fleetd)) in one request.
  - The groups C(site_*), C(rack_*), C(lifecycle_*), C(vendor_*), C(model_*) and C(label_<key>_<value>) come ready-made
    from the server and cost next to nothing. O(compose), O(groups) and O(keyed_groups) are evaluated for each host and
    are much slower, about 1.6 milliseconds per host.
  - Each host gets its BMC's address and settings as C(bmc_*) variables, which the collection's playbooks use, and
    C(fleet_*) variables, among them C(fleet_site), C(fleet_rack), C(fleet_labels), C(fleet_lifecycle),
    C(fleet_vendor), C(fleet_model), C(fleet_serial) and C(fleet_uuid). Passwords and tokens are never among them.
  - What hosts contain is data and is never evaluated as a template.
  - The file's name must end in C(machines.yml), C(machines.yaml), C(fleet.yml) or C(fleet.yaml).
options:
  plugin:
    description: Marks the file as one of this plugin.
    required: true
    choices: [baremetal.fleet.machines]
  site:
    description: Only machines at this site.
    type: str
  rack:
    description: Only machines in this rack.
    type: str
  labels:
    description: Only machines that have all these labels.
    type: dict
    default: {}
  lifecycle:
    description: Only machines in one of these states.
    type: list
    elements: str
    default: []
notes:
  - If the server does not answer, Ansible prints one warning and goes on without these hosts. Set
    C(any_unparsed_is_failed = true) in section C([inventory]) of C(ansible.cfg), or
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED), to make it an error.
  - O(server_url), O(server_token), O(server_ca_path), O(site), O(rack) and values of O(labels) and O(lifecycle) may be
    templates.
  - An option that is there but empty, for example because a lookup found nothing, is an error and does not select
    every machine.
extends_documentation_fragment:
  - baremetal.fleet.server.plugin
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
"""

EXAMPLES = r"""
# inventory/machines.yml, with FLEETD_URL and FLEETD_TOKEN in the environment
plugin: baremetal.fleet.machines

---
# One site, without what is being repaired; the token from a file
plugin: baremetal.fleet.machines
server_url: https://fleet.example.com
server_token: "{{ lookup('ansible.builtin.file', '/etc/fleet/token') }}"
site: ber1
lifecycle: [ready, in_use]

---
# Connect to hosts by a name made of the label `fqdn`; one more group; keep the answer for five minutes
plugin: baremetal.fleet.machines
compose:
  ansible_host: fleet_labels.fqdn | default(inventory_hostname)
keyed_groups:
  - key: fleet_labels.owner | default('nobody')
    prefix: owner
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/tmp/fleet-inventory
cache_timeout: 300
"""

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.baremetal.fleet.plugins.module_utils._server import server_client
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import FleetError
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.inventory import Inventories

NAMES = tuple(f"{stem}.{ending}" for stem in ("machines", "fleet") for ending in ("yml", "yaml"))
TEMPLATED = (
    "server_url",
    "server_token",
    "server_ca_path",
    "server_fingerprint",
    "site",
    "rack",
    "labels",
    "lifecycle",
)
SAFE_GROUP = re.compile("[a-z_][a-z0-9_]*")

try:
    # Since 2.19 strings are templates only if they are marked as trusted.
    from ansible.template import trust_as_template
except ImportError:
    # Before, all were, unless they were marked as unsafe.
    trust_as_template = None


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "baremetal.fleet.machines"

    def verify_file(self, path: str) -> bool:
        return path.endswith(NAMES) and super().verify_file(path)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        self._refuse_unknown(config)
        try:
            data = self._data(path, self._settings(config), cache)
        except FleetError as error:
            raise AnsibleParserError(error.message) from None  # all is said
        names = self._populate(data)
        self._construct(names)

    # -- options ------------------------------------------------------------------------------------------------------

    def _refuse_unknown(self, config: Mapping[str, Any]) -> None:
        """Refuse options that do not exist: a misspelt filter must not select the whole fleet."""
        unknown = sorted(set(config) - set(self.get_options()))
        if unknown:
            raise AnsibleParserError(f"unknown option {unknown[0]!r}; see `ansible-doc -t inventory {self.NAME}`")

    def _settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Read this plugin's own options and evaluate their templates."""
        self.templar.available_variables = self._vars or {}
        settings = {name: self.get_option(name) for name in (*TEMPLATED, "server_validate_certs", "server_timeout")}
        for name in TEMPLATED:
            settings[name] = self._evaluate(settings[name])
            if name in config and settings[name] in ("", None, [], {}):
                raise AnsibleParserError(f"{name} is there but empty; remove it or give it a value")
        for name in ("labels", "lifecycle"):
            values = settings[name].values() if name == "labels" else settings[name]
            if any(not value for value in values):
                raise AnsibleParserError(f"{name} holds an empty value")
        return settings

    def _evaluate(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._evaluate(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._evaluate(item) for item in value]
        if isinstance(value, bool):
            return str(value).lower()
        return None if value is None else str(self.templar.template(value)).strip()

    # -- data ---------------------------------------------------------------------------------------------------------

    def _data(self, path: str, settings: Mapping[str, Any], cache: bool) -> Mapping[str, Any]:
        """Ask the server, or the cache that keeps its answer to this question.

        A refresh (``meta: refresh_inventory``) asks with the ETag of what was kept: the same state is not sent again.
        """
        question = json.dumps([settings[name] for name in ("server_url", "site", "rack", "labels")], sort_keys=True)
        key = f"{self.get_cache_key(path)}_{hashlib.sha256(question.encode()).hexdigest()[:12]}"
        caching = self.get_option("cache")
        kept: Optional[Mapping[str, Any]] = self._cache.get(key) if caching else None
        if kept is None or not cache:
            kept = self._fetch(settings, kept or {})
            if caching:
                self._cache[key] = kept
        return _only(kept["data"], settings["lifecycle"])

    def _fetch(self, settings: Mapping[str, Any], kept: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return ``{"etag", "data"}``, which is ``kept`` if the server says that nothing changed."""
        with contextlib.closing(server_client(settings, Inventories)) as client:
            answer = client.inventory(settings["site"], settings["rack"], settings["labels"], kept.get("etag"))
        return kept if answer.data is None else {"etag": answer.etag, "data": answer.data}

    # -- inventory ----------------------------------------------------------------------------------------------------

    def _populate(self, data: Mapping[str, Any]) -> list[str]:
        """Add hosts, variables and groups.

        Variables and memberships go to the objects directly: one call per variable through ``set_variable`` takes
        longer than all the rest.
        """
        inventory = self.inventory
        marked = functools.lru_cache(maxsize=None)(_marked)
        hosts = {}
        for name, variables in data["hosts"].items():
            host = inventory.hosts[inventory.add_host(name)]
            host.vars.update(_strings(variables, marked))
            hosts[name] = host
        for name, content in data["groups"].items():
            safe = name if SAFE_GROUP.fullmatch(name) else self._sanitize_group_name(name)
            group = inventory.groups[inventory.add_group(safe)]
            for member in content["hosts"]:
                group.add_host(hosts[member])
        return list(hosts)

    def _construct(self, names: Iterable[str]) -> None:
        """Add what the user asked for beyond the server's groups."""
        compose, groups, keyed_groups = (self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed_groups):
            return
        strict = self.get_option("strict")
        for name in names:
            host = self.inventory.hosts[name]
            variables = host.get_vars()
            self._set_composite_vars(compose, variables, name, strict)
            for composed in host.vars.keys() & (compose or {}).keys():
                host.vars[composed] = _strings(host.vars[composed], _marked)
            self._add_host_to_composed_groups(groups, variables, name, strict)
            self._add_host_to_keyed_groups(keyed_groups, variables, name, strict)


def _only(data: Mapping[str, Any], lifecycle: Iterable[str]) -> Mapping[str, Any]:
    """Keep the machines that are in one of these states; all if none is given."""
    wanted = set(lifecycle)
    if not wanted:
        return data
    hosts = {name: variables for name, variables in data["hosts"].items() if variables.get("fleet_lifecycle") in wanted}
    groups = {}
    for name, content in data["groups"].items():
        members = [member for member in content["hosts"] if member in hosts]
        if members:
            groups[name] = {"hosts": members}
    return {"hosts": hosts, "groups": groups}


def _marked(value: str) -> str:
    """Mark a string, so that Ansible never evaluates it.

    Strings that can't be a template become ordinary ones: others are printed by ansible-inventory as
    ``{"__ansible_unsafe": ...}``, which not every reader understands.
    """
    if "{" in value or "#jinja2" in value:
        return value if trust_as_template else wrap_var(value)
    return trust_as_template(value) if trust_as_template else value


def _strings(value: Any, change: Callable[[str], str]) -> Any:
    """Change all strings in JSON data, the keys aside."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _strings(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_strings(item, change) for item in value]
    return value
