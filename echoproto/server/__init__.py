"""How an echo is offered: settings, listeners, the service, and the options that ``twistd echo`` takes."""
