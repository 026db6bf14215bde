// Takes commands from the server of this page, and sends it lines.
import { makeCommands } from './mqttjs_commands.mjs'

const lines = []
let isSending = false

// One request at a time, so that lines arrive in their order.
async function send() {
  if (isSending) return
  isSending = true
  while (lines.length > 0) await fetch('lines', { method: 'POST', body: lines.splice(0).join('\n') })
  isSending = false
}

function say(...words) {
  lines.push(words.join(' '))
  send()
}

addEventListener('error', (event) => say('error', event.message))
addEventListener('unhandledrejection', (event) => say('error', event.reason))

const { protocol, host } = Object.fromEntries(new URLSearchParams(location.search))
const commands = makeCommands(mqtt, say, { protocol, host, hostname: host })
say('ready', navigator.userAgent)

for (;;) {
  const answer = await (await fetch('commands')).text()
  for (const line of answer.split('\n').filter((each) => each !== '')) {
    const [name, ...words] = line.split(' ')
    commands[name](...words)
  }
}
