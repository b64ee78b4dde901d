# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What differs from one managed service to the next, as one table."""

from __future__ import annotations

from dataclasses import dataclass

from ._dialect import Version
from ._model import MARIADB, MYSQL

# What the vendor's pages on limits and on users name, in the words of all flavours.
_WITHHELD = frozenset(
    {
        *("SUPER", "FILE", "SHUTDOWN", "CREATE TABLESPACE", "BACKUP_ADMIN"),
        *("SET_USER_ID", "SYSTEM_USER", "REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN"),
        *("SET USER", "REPLICATION SLAVE ADMIN", "CONNECTION ADMIN", "READ_ONLY ADMIN"),
    }
)


# The types of resources that Azure's control plane knows managed servers as.
FLEXIBLE = "Microsoft.DBforMySQL/flexibleServers"
SINGLE = "Microsoft.DBforMySQL/servers"
MARIADB_SERVER = "Microsoft.DBforMariaDB/servers"


@dataclass(frozen=True)
class Service:
    """A managed service that can be a replica.

    :param document: title of the vendor's page that the rules come from
    :param oldest_source: the oldest version of a source that the page allows
    :param same_version: severity of a source and a replica of different versions
    :param primary_key: severity of tables without a primary key
    :param method: how to link when nobody says: position or gtid
    :param retention: seconds that the source must keep its log, unless the inventory says otherwise
    :param control_plane_gtid: GTIDs of the replica are aligned by the control plane, not by an argument
    :param set_parameter: the command that sets a server parameter of the replica
    :param resource: the type of the replica in the control plane
    :param cli: the group of commands that speaks to the control plane about the replica
    :param tiers: the pricing tiers on which the procedures exist; empty where the page names none
    :param most_replicas: how many replicas one source may have, or None
    :param firewall: severity of a firewall of the replica that keeps the source out; ``info`` where the page asks for no rule
    :param plain_link: severity of a link without TLS to a source that offers it; ``error`` where the page demands its CA
    :param gtid_link: severity of a link by GTID; ``info`` where the service offers it
    :param fixed_keys: the page forbids to change the value of a primary key
    :param unsuited: uses that the page advises against
    :param own_accounts: names of the platform's own accounts
    :param withheld: privileges that the service gives to nobody but itself
    :param read_only_schemas: schemas that nobody may write to
    """

    name: str
    flavour: str
    document: str
    oldest_source: Version
    same_version: str
    primary_key: str
    method: str
    retention: int = 7 * 86400
    control_plane_gtid: bool = False
    set_parameter: str = "az mysql server configuration set --resource-group {group} --server-name {server} --name {name} --value '{value}'"
    resource: str = SINGLE
    cli: str = "az mysql server"
    tiers: tuple[str, ...] = ("GeneralPurpose", "MemoryOptimized")
    most_replicas: int | None = None
    firewall: str = "info"
    plain_link: str = "warning"
    gtid_link: str = "info"
    fixed_keys: bool = False
    unsuited: tuple[str, ...] = ()
    own_accounts: tuple[str, ...] = ("azure_superuser",)
    withheld: frozenset[str] = _WITHHELD
    read_only_schemas: tuple[str, ...] = ("mysql",)


SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            name="mysql_flexible_server",
            flavour=MYSQL,
            document="Replicate data into Azure Database for MySQL Flexible Server",
            oldest_source=(5, 7, 0),
            same_version="warning",
            primary_key="warning",
            method="position",
            control_plane_gtid=True,
            plain_link="error",
            set_parameter="az mysql flexible-server parameter set --resource-group {group} --server-name {server} --name {name} --value '{value}'",
            resource=FLEXIBLE,
            cli="az mysql flexible-server",
            tiers=(),
        ),
        Service(
            name="mysql_single_server",
            flavour=MYSQL,
            document="Replicate data into Azure Database for MySQL",
            oldest_source=(5, 6, 0),
            same_version="error",
            primary_key="error",
            method="position",
            firewall="warning",
            gtid_link="warning",
        ),
        Service(
            name="mariadb_server",
            flavour=MARIADB,
            document="Replicate data into Azure Database for MariaDB",
            oldest_source=(10, 2, 0),
            same_version="error",
            primary_key="error",
            method="gtid",
            firewall="error",
            plain_link="error",
            set_parameter="az mariadb server configuration set --resource-group {group} --server-name {server} --name {name} --value '{value}'",
            resource=MARIADB_SERVER,
            cli="az mariadb server",
        ),
        Service(
            name="mysql_data_sync",
            flavour=MYSQL,
            document="Sync data across multiple cloud and on-premises databases with Azure Database for MySQL Data Sync",
            oldest_source=(5, 6, 0),
            same_version="error",
            primary_key="error",
            method="position",
            tiers=(),
            most_replicas=5,
            gtid_link="error",
            fixed_keys=True,
            unsuited=("disaster recovery", "read scale", "ETL from a transactional to an analytical database"),
        ),
    )
}
