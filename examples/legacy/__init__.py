"""A web service that speaks SOAP and HTTP Basic, protected by the gateway behind nginx."""
