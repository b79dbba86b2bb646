"""The words of the field as frozen values: no I/O, no clock, no import from any other room but the error tree."""
