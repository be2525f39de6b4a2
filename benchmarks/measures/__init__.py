"""The measurements of heksherlite: programs that are run in fresh processes, and write rows."""
