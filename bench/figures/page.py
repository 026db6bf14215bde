"""The page in both languages: a template with prose, in which {{name}} stands for a generated table or fact."""

import re
from pathlib import Path

from figures import parts, tables

FOLDER = Path(__file__).resolve().parent
PAGES = {"en": "performance.md", "zh": "performance.zh.md"}

WORDS = {
    "en": {
        "load": "Load", "broker": "Broker", "cpu": "Processor time of the broker per message, µs:",
        "rate": "Messages a second:", "cpu_message": "CPU per message, µs", "filters": "Filters", "bytes": "bytes",
        "µs": "µs", "p99": "p99 µs", "idle": "bytes per idle connection", "idle_subscribed": "with one subscription",
        "connect": "CPU per connect, µs", "undisturbed": "nothing", "beside": "Beside the load",
        "configuration": "Configuration", "per_s": "messages a second", "share": "each worker's share",
        "one worker": "`--workers 1`", "two workers": "`--workers 2 --placement spread`",
        "two, adaptive": "`--workers 2`", "payload": "Payload", "ratio": "ratio",
        "way": "Over", "tcp": "TCP", "ws": "WebSocket", "tls": "TLS", "wss": "WebSocket in TLS", "unix": "a Unix socket",
        "resumed": "resumed, µs", "storm_in": "Clients that got in", "storm_seconds": "within, s",
        "storm_before": "p99 before, µs", "storm_during": "p99 meanwhile, µs", "storm_lost": "messages or clients lost",
        "storm_strangers": "strangers held at most, MiB",
        "left_out": "Left out, because it failed there: {broker} at `{line}` ({reason}).",
        "part": "Part", "date": "date", "rounds": "rounds", "seconds": "seconds each", "took": "minutes in all",
        "version": "version",
        "machine": "{cpu}, {cores} cores, {memory_gib} GiB, {kernel}",
    },
    "zh": {
        "load": "负载", "broker": "服务器", "cpu": "服务器每条消息的处理器时间，µs：", "rate": "每秒消息数：",
        "cpu_message": "每条消息的 CPU，µs", "filters": "过滤器数", "bytes": "字节", "µs": "µs", "p99": "p99 µs",
        "idle": "每个空闲连接的字节数", "idle_subscribed": "带一个订阅", "connect": "每次连接的 CPU，µs",
        "undisturbed": "无", "beside": "负载旁边", "configuration": "配置", "per_s": "每秒消息数",
        "share": "每个工作线程的份额", "one worker": "`--workers 1`",
        "two workers": "`--workers 2 --placement spread`", "two, adaptive": "`--workers 2`",
        "way": "经由", "tcp": "TCP", "ws": "WebSocket", "tls": "TLS", "wss": "TLS 中的 WebSocket", "unix": "Unix 套接字",
        "resumed": "恢复会话，µs", "storm_in": "连上的客户端", "storm_seconds": "用时，s",
        "storm_before": "此前 p99，µs", "storm_during": "期间 p99，µs", "storm_lost": "丢失的消息或连接",
        "storm_strangers": "陌生连接最多占用，MiB",
        "payload": "载荷", "ratio": "比值", "left_out": "因失败而略去：{broker}，`{line}`（{reason}）。",
        "part": "部分", "date": "日期", "rounds": "轮数", "seconds": "每次秒数", "took": "共用分钟",
        "version": "版本",
        "machine": "{cpu}，{cores} 个核心，{memory_gib} GiB，{kernel}",
    },
}


def distinct(texts):
    return list(dict.fromkeys(texts))


def machines(results, words):
    """Usually one; two if a part was measured elsewhere."""
    return "; ".join(distinct(words["machine"].format(**part["measured"]) for part in results.parts.values()))


def versions(results):
    rows = []
    for name in ("nightjar", *parts.PEERS):
        found = distinct(part["measured"]["versions"][name] for part in results.parts.values())
        rows.append([name, ", ".join(found)])
    return rows


def measured_table(results, words):
    rows = [[name, part["measured"]["date"], str(part["measured"]["rounds"]), f"{part['measured']['duration_s']:g}",
             tables.number(part["measured"]["took_s"] / 60)] for name, part in results.parts.items()]
    return tables.table([words["part"], words["date"], words["rounds"], words["seconds"], words["took"]], rows)


def left_out(results, words):
    """What failed although it was meant to be measured; the template says what a broker cannot do at all."""
    return "\n".join("- " + words["left_out"].format(broker=broker, line=line, reason=reason)
                     for part in results.parts.values() for line, load in part["loads"].items()
                     for broker, reason in load["left_out"].items())


def blocks(results, words):
    return {**{name: make(results, words) for name, make in tables.TABLES.items()},
            "machine": machines(results, words),
            "versions": tables.table([words["broker"], words["version"]], versions(results)),
            "measured": measured_table(results, words), "left_out": left_out(results, words),
            "parts": ", ".join(parts.PARTS)}


def fill(template, found):
    """A name that nothing was generated for is a mistake in the template, and raises KeyError."""
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: found[match.group(1)], template)
    return re.sub(r"\n{3,}", "\n\n", text)


def page(json, language):
    template = (FOLDER / f"page.{language}.md").read_text()
    return fill(template, blocks(tables.Results(json), WORDS[language]))
