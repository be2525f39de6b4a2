"""The values of settings: their types on the wire and in Python, their schemas, and the conversion between the two.

The service and the SDK share `wire_types`, `type_strings`, `json_schemas`, `schema_formats` and `faults`. The other
modules belong to the SDK: `setting_types.setting_type` finds the setting type of a Python type, and imports the module
of a rarer type when the first setting of such a type is declared.
"""
