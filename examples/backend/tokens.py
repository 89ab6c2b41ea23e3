"""Access tokens, signed with one key and accepted with two, so that a key can be rotated while tokens live on."""

import time

import jwt

from settings import settings


def sign(subject):
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + 60 * settings.jwt_minutes}
    return jwt.encode(claims, settings.jwt_keys[0], algorithm=settings.jwt_algorithm)


def subject(token):
    """Whose token this is, or None: expired, or signed with neither key."""
    for key in settings.jwt_keys:
        try:
            return jwt.decode(token, key, algorithms=[settings.jwt_algorithm])["sub"]
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError:
            return None
    return None
