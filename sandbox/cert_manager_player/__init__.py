"""A small certificate authority that plays cert-manager, whose programs no package registry has.

It works on the real kinds and signs what a Certificate, or the annotation of an Ingress, asks for, whatever the issuer
says. It knows nothing of ACME, requests, renewal in time or key settings.
"""
