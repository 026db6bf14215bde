// The agent for MQTT.js under Node.js.
import { readFileSync } from 'node:fs'
import readline from 'node:readline'
import mqtt from 'mqtt'
import { makeCommands } from './mqttjs_commands.mjs'

const { AGENT_TRANSPORT: transport, AGENT_CA: ca, AGENT_HOST: host = '127.0.0.1' } = process.env
const how = { protocol: { ws: 'ws', tls: 'mqtts', wss: 'wss' }[transport] ?? 'mqtt', host, hostname: host }
if (ca) how.ca = readFileSync(ca)

const commands = makeCommands(mqtt, (...words) => process.stdout.write(words.join(' ') + '\n'), how)

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, ...words] = line.split(' ')
  commands[name](...words)
})
