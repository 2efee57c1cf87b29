"""A fast, hardened Socket.IO server for aiohttp, without any knowledge of what it carries."""

from telemed.signaling.engine.fanout import LocalFanOut
from telemed.signaling.engine.limits import Limits
from telemed.signaling.engine.redis_fanout import RedisFanOut
from telemed.signaling.engine.server import FastServer, Refused
from telemed.signaling.engine.socket import Reason

__all__ = ["FastServer", "Limits", "LocalFanOut", "Reason", "RedisFanOut", "Refused"]
