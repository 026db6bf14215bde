// The agent for the synchronous Paho C client. The lines it understands and writes: ../agent.py.
#include <MQTTClient.h>

#include "paho_c.h"

static MQTTClient client;

static int on_message(void* context, char* topic, int topic_length, MQTTClient_message* message) {
  (void)context;
  say_message(topic, topic_length, message->qos, message->retained, message->payload, message->payloadlen,
              &message->properties);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static int do_connect(char** words, int count) {
  struct ConnectWords said = connect_words(words, count);
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  create.MQTTVersion = level;
  MQTTClient_createWithOptions(&client, said.uri, said.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  MQTTClient_setCallbacks(client, NULL, on_lost, on_message, NULL);
  if (level == 5) MQTTClient_setDisconnected(client, NULL, on_disconnected);

  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  if (level == 5) {
    options = (MQTTClient_connectOptions)MQTTClient_connectOptions_initializer5;
    options.cleanstart = said.is_clean;
  } else {
    options.cleansession = said.is_clean;
  }
  options.MQTTVersion = level;
  options.keepAliveInterval = said.keep_alive_s;
  options.reliable = 0;
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  tls.trustStore = getenv("AGENT_CA");
  tls.verify = 1;
  if (tls.trustStore) options.ssl = &tls;
  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  if (said.will_topic) {
    FILL_WILL(will, said);
    options.will = &will;
  }
  MQTTResponse response = MQTTResponse_initializer;
  if (level == 5) {
    response = MQTTClient_connect5(client, &options, &said.properties, NULL);
  } else {
    response.reasonCode = (enum MQTTReasonCodes)MQTTClient_connect(client, &options);
  }
  if (response.reasonCode != MQTTREASONCODE_SUCCESS) {
    say("refused %d", response.reasonCode);
  } else if (level == 4) {
    say("connected %d", options.returned.sessionPresent);
  } else {
    say("connected -");  // the library passes the flag on for 3.1.1 only
  }
  MQTTResponse_free(response);
  free_connect_words(&said);
  return 0;
}

static int do_subscribe(char** words, int count) {
  (void)count;
  int qos = atoi(words[2]);
  char* const filters[] = {words[1]};
  if (level == 5) {
    MQTTResponse response = MQTTClient_subscribe5(client, words[1], qos, NULL, NULL);
    say("subscribed %d", response.reasonCode);
    MQTTResponse_free(response);
  } else {
    const int result = MQTTClient_subscribeMany(client, 1, filters, &qos);
    say("subscribed %d", result == MQTTCLIENT_SUCCESS ? qos : result);
  }
  return 0;
}

static int do_unsubscribe(char** words, int count) {
  (void)count;
  int result = 0;
  if (level == 5) {
    MQTTResponse response = MQTTClient_unsubscribe5(client, words[1], NULL);
    result = (int)response.reasonCode;
    MQTTResponse_free(response);
  } else {
    result = MQTTClient_unsubscribe(client, words[1]);
  }
  if (result == 0) say("unsubscribed");
  return result;
}

static int do_publish(char** words, int count) {
  MQTTClient_message message = MQTTClient_message_initializer;
  FILL_MESSAGE(message, words, count);
  MQTTClient_deliveryToken token = 0;
  int result = 0;
  if (level == 5) {
    MQTTResponse response = MQTTClient_publishMessage5(client, words[1], &message, &token);
    result = (int)response.reasonCode;
    MQTTResponse_free(response);
  } else {
    result = MQTTClient_publishMessage(client, words[1], &message, &token);
  }
  if (result == 0) result = MQTTClient_waitForCompletion(client, token, CALL_TIMEOUT_MS);
  say("published %d", result);
  MQTTProperties_free(&message.properties);
  free(message.payload);
  return 0;
}

static int do_disconnect(char** words, int count) {
  (void)words, (void)count;
  if (level == 5) {
    MQTTClient_disconnect5(client, CALL_TIMEOUT_MS, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL);
  } else {
    MQTTClient_disconnect(client, CALL_TIMEOUT_MS);
  }
  MQTTClient_destroy(&client);
  say("disconnected -");
  return 0;
}

static const struct Command commands[] = {{"connect", do_connect},
                                          {"subscribe", do_subscribe},
                                          {"unsubscribe", do_unsubscribe},
                                          {"publish", do_publish},
                                          {"disconnect", do_disconnect}};

int main(void) { return run_commands(commands, sizeof commands / sizeof *commands); }
