// Starts Swagger UI. validatorUrl: by default it shows the document to a validator on the internet.
const place = document.getElementById("api");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  validatorUrl: null,
  queryConfigEnabled: false,
  persistAuthorization: false,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
});
