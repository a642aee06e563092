"""GeoPackages for tests, made with sqlite3 by the standard (OGC 12-128r17): clauses 1.1 and 2.1, annex C's tables."""

import sqlite3
import struct

TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT '2026-11-27T00:00:00.000Z',
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT
  NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
INSERT INTO gpkg_spatial_ref_sys VALUES ('undefined', -1, 'NONE', -1, 'undefined', ''),
  ('undefined', 0, 'NONE', 0, 'undefined', ''), ('WGS 84', 4326, 'EPSG', 4326, 'GEOGCS[...]', ''),
  ('ETRS89 / UTM 32N', 25832, 'EPSG', 25832, 'PROJCS[...]', '');
"""


def wkb(kind, body, order="<"):
    """One WKB geometry of this type code."""
    return struct.pack(order + "BI", order == "<", kind) + body


def points(rows, order="<"):
    """A count and its positions, as lines and rings have them."""
    return struct.pack(order + "I", len(rows)) + b"".join(struct.pack(f"{order}{len(r)}d", *r) for r in rows)


def parts(*geometries, order="<"):
    """A count and its geometries."""
    return struct.pack(order + "I", len(geometries)) + b"".join(geometries)


def blob(geometry, *, srs=4326, flags=1, envelope=b"", version=0):
    """A GeoPackage blob; flags 1 is little-endian without an envelope."""
    return b"GP" + bytes([version, flags]) + struct.pack("<i" if flags & 1 else ">i", srs) + envelope + geometry


POINT = blob(wkb(1, struct.pack("<2d", 126.6, 37.9)))


def geopackage(path, rows=((POINT, "Gate"),), *, srs=4326, table="plan", kind="features", more="", mark=b"GPKG"):
    """A file with one table of features (geometry, name)."""
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA application_id = {int.from_bytes(mark, 'big')}")
    database.executescript(TABLES)
    quoted = table.replace('"', '""')
    database.execute(f'CREATE TABLE "{quoted}" (fid INTEGER PRIMARY KEY, geom GEOMETRY, name TEXT)')
    database.execute("INSERT INTO gpkg_contents (table_name, data_type, srs_id) VALUES (?, ?, ?)", (table, kind, srs))
    database.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', ?, 2, 2)", (table, srs))
    database.executemany(f'INSERT INTO "{quoted}" (geom, name) VALUES (?, ?)', rows)
    database.executescript(more)
    database.commit()
    database.close()
    return path
