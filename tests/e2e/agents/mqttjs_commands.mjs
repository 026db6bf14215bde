// What the agents for MQTT.js do, under Node.js and in a page. The lines they understand and write: ../agent.py.
const letters = 'abcdefghijklmnopqrstuvwxyz'
const pattern = (length) => letters.repeat(Math.ceil(length / letters.length)).slice(0, length)

function payloadOf(word) {
  if (word === '-') return ''
  return word.startsWith('@') ? pattern(Number(word.slice(1))) : word
}

function wordOf(payload) {
  if (payload.length === 0) return '-'
  if (payload.length <= 1000) return payload.toString()
  return payload.toString() === pattern(payload.length) ? `@${payload.length}` : 'garbled'
}

// `mqtt` is the library, `say` writes a line, `how` has the options of every connection.
export function makeCommands(mqtt, say, how) {
  let client
  let level = 0
  let leaving = false

  function onMessage(topic, payload, packet) {
    const properties = Object.entries(packet.properties?.userProperties ?? {}).map(([name, value]) => `${name}=${value}`)
    say('message', topic, packet.qos, packet.retain ? 1 : 0, wordOf(payload), ...properties)
  }

  return {
    connect(port, protocolLevel, clientId, clean, expiryS, keepAliveS, ...will) {
      level = Number(protocolLevel)
      leaving = false
      const options = {
        ...how,
        port: Number(port),
        protocolId: level === 3 ? 'MQIsdp' : 'MQTT',
        protocolVersion: level,
        clientId,
        clean: clean === '1',
        keepalive: Number(keepAliveS),
        reconnectPeriod: 0
      }
      if (level === 5) options.properties = { sessionExpiryInterval: Number(expiryS) }
      if (will.length > 0) {
        options.will = { topic: will[0], qos: Number(will[1]), retain: will[2] === '1', payload: payloadOf(will[3]) }
      }
      const mine = (client = mqtt.connect(options))
      let reason = '-'
      mine.on('connect', (packet) => say('connected', level === 3 ? '-' : packet.sessionPresent ? 1 : 0))
      mine.on('message', onMessage)
      mine.on('disconnect', (packet) => (reason = packet.reasonCode ?? 0))
      mine.on('error', (error) => say(error.code > 0 ? `refused ${error.code}` : `error ${error.message}`))
      mine.on('close', () => leaving || say('disconnected', reason))
    },
    subscribe(filter, qos) {
      client.subscribe(filter, { qos: Number(qos) }, (error, granted) => {
        say('subscribed', error ? error.code ?? error.message : granted[0]?.qos)
      })
    },
    unsubscribe(filter) {
      client.unsubscribe(filter, (error) => say(error ? `error ${error.message}` : 'unsubscribed'))
    },
    publish(topic, qos, retain, payload, property) {
      const options = { qos: Number(qos), retain: retain === '1' }
      if (property) {
        const [name, value] = property.split('=')
        options.properties = { userProperties: { [name]: value } }
      }
      client.publish(topic, payloadOf(payload), options, (error) => say('published', error ? error.code ?? 1 : 0))
    },
    disconnect() {
      leaving = true
      client.end(false, {}, () => say('disconnected -'))
    }
  }
}
