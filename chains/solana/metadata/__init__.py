"""The Program Metadata program: a program's IDL and security contacts, in accounts only its upgrade authority can write."""
