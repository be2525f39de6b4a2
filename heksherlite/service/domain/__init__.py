"""What the service decides, without I/O: no SQL, no HTTP, no clock."""
