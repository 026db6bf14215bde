// The agent for the asynchronous Paho C client. The lines it understands and writes: ../agent.py.
// Commands return at once; every answer is written by a callback on a thread of the library.
#include <MQTTAsync.h>

#include "paho_c.h"

static MQTTAsync client;

static int on_message(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
  (void)context;
  say_message(topic, topic_length, message->qos, message->retained, message->payload, message->payloadlen,
              &message->properties);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static void say_connected(int session_present) {
  if (level == 3) {
    say("connected -");
  } else {
    say("connected %d", session_present);
  }
}

static void connected(void* context, MQTTAsync_successData* data) {
  (void)context;
  say_connected(data->alt.connect.sessionPresent);
}
static void connected5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say_connected(data->alt.connect.sessionPresent);
}
static void refused(void* context, MQTTAsync_failureData* data) {
  (void)context;
  say("refused %d", data ? data->code : -1);
}
static void refused5(void* context, MQTTAsync_failureData5* data) {
  (void)context;
  say("refused %d", data->reasonCode ? (int)data->reasonCode : data->code);
}

static void subscribed(void* context, MQTTAsync_successData* data) {
  (void)context;
  say("subscribed %d", data->alt.qos);
}
static void subscribed5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say("subscribed %d", data->reasonCode);
}
static void not_subscribed(void* context, MQTTAsync_failureData* data) {
  (void)context;
  say("subscribed %d", data ? data->code : -1);
}
static void not_subscribed5(void* context, MQTTAsync_failureData5* data) {
  (void)context;
  say("subscribed %d", data->reasonCode);
}

static void unsubscribed(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("unsubscribed");
}
static void unsubscribed5(void* context, MQTTAsync_successData5* data) {
  (void)context, (void)data;
  say("unsubscribed");
}

static void published(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("published 0");
}
static void published5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say("published %d", data->reasonCode);
}

static void failed(void* context, MQTTAsync_failureData* data) {
  say("error %s %d", (const char*)context, data ? data->code : -1);
}
static void failed5(void* context, MQTTAsync_failureData5* data) {
  say("error %s %d", (const char*)context, data->reasonCode);
}

static void disconnected(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("disconnected -");
}
static void disconnected5(void* context, MQTTAsync_successData5* data) {
  (void)context, (void)data;
  say("disconnected -");
}

static int do_connect(char** words, int count) {
  struct ConnectWords said = connect_words(words, count);
  if (client) MQTTAsync_destroy(&client);
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  create.MQTTVersion = level;
  MQTTAsync_createWithOptions(&client, said.uri, said.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, NULL);
  if (level == 5) MQTTAsync_setDisconnected(client, NULL, on_disconnected);

  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  if (level == 5) {
    options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
    options.cleanstart = said.is_clean;
    options.connectProperties = &said.properties;
    options.onSuccess5 = connected5;
    options.onFailure5 = refused5;
  } else {
    options.cleansession = said.is_clean;
    options.onSuccess = connected;
    options.onFailure = refused;
  }
  options.MQTTVersion = level;
  options.keepAliveInterval = said.keep_alive_s;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  tls.trustStore = getenv("AGENT_CA");
  tls.verify = 1;
  if (tls.trustStore) options.ssl = &tls;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  if (said.will_topic) {
    FILL_WILL(will, said);
    options.will = &will;
  }
  const int result = MQTTAsync_connect(client, &options);
  free_connect_words(&said);
  return result;
}

static MQTTAsync_responseOptions answers(const char* what) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.context = (void*)what;
  if (level == 5) {
    options.onFailure5 = failed5;
  } else {
    options.onFailure = failed;
  }
  return options;
}

static int do_subscribe(char** words, int count) {
  (void)count;
  MQTTAsync_responseOptions options = answers("subscribe");
  if (level == 5) {
    options.onSuccess5 = subscribed5;
    options.onFailure5 = not_subscribed5;
  } else {
    options.onSuccess = subscribed;
    options.onFailure = not_subscribed;
  }
  return MQTTAsync_subscribe(client, words[1], atoi(words[2]), &options);
}

static int do_unsubscribe(char** words, int count) {
  (void)count;
  MQTTAsync_responseOptions options = answers("unsubscribe");
  if (level == 5) {
    options.onSuccess5 = unsubscribed5;
  } else {
    options.onSuccess = unsubscribed;
  }
  return MQTTAsync_unsubscribe(client, words[1], &options);
}

static int do_publish(char** words, int count) {
  MQTTAsync_message message = MQTTAsync_message_initializer;
  FILL_MESSAGE(message, words, count);
  MQTTAsync_responseOptions options = answers("publish");
  if (level == 5) {
    options.onSuccess5 = published5;
  } else {
    options.onSuccess = published;
  }
  const int result = MQTTAsync_sendMessage(client, words[1], &message, &options);
  MQTTProperties_free(&message.properties);
  free(message.payload);
  return result;
}

static int do_disconnect(char** words, int count) {
  (void)words, (void)count;
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  if (level == 5) {
    options = (MQTTAsync_disconnectOptions)MQTTAsync_disconnectOptions_initializer5;
    options.onSuccess5 = disconnected5;
  } else {
    options.onSuccess = disconnected;
  }
  options.timeout = CALL_TIMEOUT_MS;
  return MQTTAsync_disconnect(client, &options);
}

static const struct Command commands[] = {{"connect", do_connect},
                                          {"subscribe", do_subscribe},
                                          {"unsubscribe", do_unsubscribe},
                                          {"publish", do_publish},
                                          {"disconnect", do_disconnect}};

int main(void) { return run_commands(commands, sizeof commands / sizeof *commands); }
