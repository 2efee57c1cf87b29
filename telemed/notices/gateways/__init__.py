"""Those who take messages over: a mail server, push services, a gateway for SMS."""
